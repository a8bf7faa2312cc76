import { createFileRegistry, type DescFile, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { DESCRIPTOR_SET_BASE64 } from '../../proto/gen/descriptor_set.ts';
import type {
  FileDescriptorResponse,
  ServerReflectionRequest,
  ServerReflectionResponse,
  ServerReflectionService,
} from '../../proto/gen/grpc/reflection/v1/reflection.ts';
import type { Handlers } from './service.ts';
import { STATUS_CODES } from './status.ts';

type Answer = ServerReflectionResponse['messageResponse'];

/** grpc.reflection.v1 over the descriptors that the bundle carries: `grpcurl` needs no .proto file. */
export function reflectionHandlers(
  services: () => readonly string[],
): Handlers<typeof ServerReflectionService> {
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, Buffer.from(DESCRIPTOR_SET_BASE64, 'base64')),
  );
  const answer = (request: ServerReflectionRequest): Answer => {
    const { messageRequest: wanted } = request;
    switch (wanted?.$case) {
      case 'listServices':
        return {
          $case: 'listServicesResponse',
          value: { service: services().map((name) => ({ name })) },
        };
      case 'fileByFilename':
        return fileOr(registry.getFile(wanted.value), wanted.value);
      case 'fileContainingSymbol':
        return fileOr(fileOf(wanted.value), wanted.value);
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return failure('NOT_FOUND', 'no extensions here');
      default:
        return failure('UNIMPLEMENTED', 'unknown request');
    }
  };
  const fileOf = (symbol: string): DescFile | undefined => {
    const whole = registry.get(symbol);
    if (whole !== undefined) return whole.file;
    // A method, field or enum value: the symbol that holds it.
    const dot = symbol.lastIndexOf('.');
    return dot < 0 ? undefined : registry.get(symbol.slice(0, dot))?.file;
  };
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests)
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(request) };
    },
  };
}

function fileOr(file: DescFile | undefined, wanted: string): Answer {
  if (file === undefined) return failure('NOT_FOUND', `not found: ${wanted.slice(0, 200)}`);
  return { $case: 'fileDescriptorResponse', value: withDependencies(file) };
}

function withDependencies(file: DescFile): FileDescriptorResponse {
  const files = new Set<DescFile>();
  const visit = (each: DescFile): void => {
    if (files.has(each)) return;
    files.add(each);
    each.dependencies.forEach(visit);
  };
  visit(file);
  return {
    fileDescriptorProto: [...files].map(({ proto }) =>
      Buffer.from(toBinary(FileDescriptorProtoSchema, proto)),
    ),
  };
}

function failure(status: 'NOT_FOUND' | 'UNIMPLEMENTED', errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode: STATUS_CODES[status], errorMessage } };
}
