import type { Static, TSchema } from '@sinclair/typebox'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { pointerStep } from '../document-problem.ts'
import type { Fault } from '../errors.ts'
import { httpError } from './errors.ts'

// First error only: a body of a thousand faults must not cost a thousand error objects.
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: false, discriminator: true, verbose: true })
const compiled = new WeakMap<TSchema, ValidateFunction>()

/** Faults of a value against a schema; empty when it fits. */
export function faultsOf(schema: TSchema, value: unknown): Fault[] {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = ajv.compile(schema)
    compiled.set(schema, validate)
  }
  if (validate(value)) return []
  return (validate.errors ?? []).slice(0, 1).map((error) => {
    // A schema that describes its text says more than its pattern does.
    const described = error.keyword === 'pattern' && error.parentSchema?.description
    const extra = error.keyword === 'additionalProperties' ? pointerStep(String(error.params.additionalProperty)) : ''
    return {
      pointer: `${error.instancePath}${extra}`,
      code: extra ? 'unknown_member' : error.keyword,
      detail: extra
        ? 'is not a member of this call'
        : described
          ? `must be ${described}`
          : (error.message ?? 'is not valid'),
    }
  })
}

/** The value as the schema's type, or a 400 `body_malformed` that points at the first fault. */
export function checked<S extends TSchema>(schema: S, value: unknown): Static<S> {
  const errors = faultsOf(schema, value)
  const first = errors[0]
  if (first) throw httpError('body_malformed', `${first.pointer || 'the body'} ${first.detail}`, { errors })
  return value as Static<S>
}
