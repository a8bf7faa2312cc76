import { afterEach, expect, test } from 'vitest';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { ServerReflectionService } from '../../proto/gen/grpc/reflection/v1/reflection.ts';
import { HealthService } from '../../proto/gen/health/v1/health.ts';
import { serveRpc as serve, undo, undoAll } from '../support/rpc-fixture.ts';

afterEach(undoAll);

test('health follows readiness; reflection serves every file that a service needs', async () => {
  const { clientOptions, health } = await serve({});
  const client = createRpcClient(HealthService, clientOptions);
  const check = health.check('store');
  expect(await client.check({ service: '' })).toEqual({ status: 2 });
  check.ok();
  expect(await client.check({ service: 'enclave_licensing.licensing.v1.LicensingService' })).toEqual({
    status: 1,
  });
  await expect(client.check({ service: 'nonsense' })).rejects.toMatchObject({ status: 'NOT_FOUND' });
  const reflection = createRpcClient(ServerReflectionService, clientOptions);
  undo.push(
    () => client.close(),
    () => reflection.close(),
  );
  const answers = await collect(
    reflection.serverReflectionInfo(
      (async function* () {
        yield { host: '', messageRequest: { $case: 'listServices' as const, value: '' } };
        yield {
          host: '',
          messageRequest: {
            $case: 'fileContainingSymbol' as const,
            value: 'enclave_licensing.licensing.v1.LicensingService.Launch',
          },
        };
      })(),
    ),
  );
  const [list, file] = answers.map(({ messageResponse }) => messageResponse);
  expect(list?.$case === 'listServicesResponse' && list.value.service.map(({ name }) => name)).toContain(
    'enclave_licensing.licensing.v1.LicensingService',
  );
  // Its own file, its messages, the two of evidence, and Timestamp.
  expect(file?.$case === 'fileDescriptorResponse' && file.value.fileDescriptorProto).toHaveLength(5);
});

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}
