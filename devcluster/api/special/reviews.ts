import { badRequest } from '../api-error.ts';
import { authorize } from '../authorization/authorize.ts';
import type { Call, User } from '../call.ts';
import { dig, type Fields, fields, isFields, text, texts } from '../object.ts';
import { apiVersionOf } from '../resource.ts';
import { DecodeError, normalize } from '../schema/normalize.ts';
import { TokenRefused } from '../tokens.ts';

/** Kinds that are answered, not stored. */
export const REVIEWS: Readonly<Record<string, (call: Call, body: unknown) => Promise<Fields>>> = {
  tokenreviews: reviewToken,
  selfsubjectreviews: async (call) => ({
    ...answer(call, {}),
    status: { userInfo: userInfo(call.user) },
  }),
  subjectaccessreviews: async (call, body) => {
    const asked = decodeReview(call, body);
    const spec = fields(asked['spec']);
    const user = {
      username: text(spec['user']),
      groups: texts(spec['groups']),
      extra: {},
    };
    return reviewAccess(call, asked, user);
  },
  selfsubjectaccessreviews: async (call, body) => reviewAccess(call, decodeReview(call, body), call.user),
};

function decodeReview(call: Call, body: unknown): Fields {
  try {
    return normalize(call.resource.kind, body, []);
  } catch (error) {
    if (error instanceof DecodeError) throw badRequest(error.message);
    throw error;
  }
}

function answer(call: Call, asked: Fields): Fields {
  return {
    kind: call.resource.kind,
    apiVersion: apiVersionOf(call.resource),
    metadata: { creationTimestamp: null },
    ...(asked['spec'] === undefined ? {} : { spec: asked['spec'] }),
  };
}

function userInfo(user: User): Fields {
  return {
    username: user.username,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: user.groups,
    extra: user.extra,
  };
}

/** TokenReview: whose token it is, for which of the audiences that were asked (none asked: the API server's own). */
async function reviewToken(call: Call, body: unknown): Promise<Fields> {
  const asked = decodeReview(call, body);
  const token = text(dig(asked, 'spec', 'token'));
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const wanted = texts(dig(asked, 'spec', 'audiences'));
  const { tokens } = call.cluster;
  try {
    const { user, audiences } = await tokens.verify(token, wanted.length === 0 ? [tokens.issuer] : wanted);
    return { ...answer(call, asked), status: { authenticated: true, user: userInfo(user), audiences } };
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    return {
      ...answer(call, asked),
      status: { user: {}, error: `[invalid bearer token, ${error.message}]` },
    };
  }
}

function reviewAccess(call: Call, asked: Fields, user: User): Fields {
  const resource = dig(asked, 'spec', 'resourceAttributes');
  const path = dig(asked, 'spec', 'nonResourceAttributes');
  const namespace = text(dig(resource, 'namespace'));
  const decision = authorize(
    call.cluster,
    user,
    isFields(resource)
      ? {
          verb: text(resource['verb']),
          group: text(resource['group']),
          resource: text(resource['resource']),
          subresource: text(resource['subresource']),
          name: text(resource['name']),
          ...(namespace === '' ? {} : { namespace }),
        }
      : { verb: text(dig(path, 'verb')), path: text(dig(path, 'path')) },
  );
  return {
    ...answer(call, asked),
    status: {
      allowed: decision.allowed,
      ...(decision.reason === undefined ? {} : { reason: decision.reason }),
    },
  };
}
