import { type Static, Type } from '@sinclair/typebox'

/** Who reads what is published under a name: everybody, or its organisation and the readers that it named. */
export const Visibility = Type.Union([Type.Literal('public'), Type.Literal('private')])
export type Visibility = Static<typeof Visibility>
