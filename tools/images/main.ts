/** `make images`. Environment: REGISTRY, ARCH. */
import { explain } from '../../platform/run/explain.ts';
import { REGISTRY } from '../cluster/catalogue.ts';
import { architecture } from './architecture.ts';
import { buildImages } from './build-images.ts';

try {
  const arch = architecture(process.env.ARCH || undefined);
  await buildImages(process.env.REGISTRY || REGISTRY, arch, console.log);
} catch (error) {
  console.error(`make images: ${explain(error)}`);
  process.exit(1);
}
