import fc, { type Arbitrary } from 'fast-check';
import type { Arms, Fields, Shape } from '../../../formats/tpm/wire.ts';

/** Any value of a wire type, from its table. */
export function anyValue(shape: Shape): Arbitrary<unknown> {
  switch (shape.kind) {
    case 'uint':
      return fc.integer({ min: shape.min, max: shape.max });
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case 'yes-no':
      return fc.boolean();
    case 'name':
      return fc.constantFrom(...Object.keys(shape.names));
    case 'flags':
      return fc.record(Object.fromEntries(Object.keys(shape.bits).map((bit) => [bit, fc.boolean()])));
    case 'buffer':
      return bytes(shape.min, shape.max);
    case 'fixed':
      return bytes(shape.length, shape.length);
    case 'rest':
      return bytes(0, shape.max);
    case 'sized':
      return anyValue(shape.inner);
    case 'list':
      return fc.array(anyValue(shape.item), { maxLength: Math.min(shape.max, 4) });
    case 'structure':
      return anyFields(shape.fields);
    case 'union':
      return fc.oneof(...Object.keys(shape.arms).map((kind) => anyArm(shape.arms, kind)));
    default:
      throw new Error(`${shape.kind} has no value of its own`);
  }
}

function bytes(minLength: number, maxLength: number): Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}

function anyArm(arms: Arms, kind: string): Arbitrary<unknown> {
  return anyFields(arms[kind]?.fields ?? {}).map((fields) => ({ kind, ...fields }));
}

/** The selector is drawn first: arms of one selector are of one kind. */
function anyFields(fields: Fields): Arbitrary<Record<string, unknown>> {
  const selector = Object.values(fields).find(({ shape }) => shape.kind === 'selector')?.shape;
  const kinds = selector?.kind === 'selector' ? Object.keys(selector.tags) : [''];
  return fc.constantFrom(...kinds).chain((kind) => {
    const values: Record<string, Arbitrary<unknown>> = {};
    for (const [name, field] of Object.entries(fields)) {
      if ('hidden' in field) continue;
      values[name] = field.shape.kind === 'arm' ? anyArm(field.shape.arms, kind) : anyValue(field.shape);
    }
    return fc.record(values);
  });
}
