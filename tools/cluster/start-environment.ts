import { resolve } from 'node:path';
import { developmentEnvironment } from './development-environment.ts';
import type { Environment, EnvironmentOptions } from './environment.ts';
import { installedEnvironment } from './installed-environment.ts';

/**
 * On the development cluster; with `ENCLAVE_TEST_INSTALLED` (`make e2e`) on the real one whose folder that is.
 * @throws Error with what the components said when they do not become ready
 */
export function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const installed = process.env['ENCLAVE_TEST_INSTALLED'];
  return installed ? installedEnvironment(resolve(installed), options) : developmentEnvironment(options);
}
