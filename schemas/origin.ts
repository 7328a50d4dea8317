import { type Static, Type } from '@sinclair/typebox'

const closed = { additionalProperties: false }

/**
 * What the marketplace found of a version that its bytes cannot say: the signature over them, whether its signer counts
 * for the organisation, and whose older name this one looks like. `not_judged`: the check before it failed already.
 */
export const Origin = Type.Object(
  {
    signature: Type.Union([
      Type.Literal('verified'),
      Type.Literal('missing'),
      Type.Literal('invalid'),
      Type.Literal('not_judged'),
    ]),
    signer: Type.Union([Type.Literal('registered'), Type.Literal('not_registered'), Type.Literal('not_judged')]),
    /** Why not, where one of them is not good. */
    detail: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
    /** An older name of another organisation that passes for this one; without `name` where not everybody may know it. */
    alike: Type.Optional(Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })) }, closed)),
  },
  closed,
)
export type Origin = Static<typeof Origin>
