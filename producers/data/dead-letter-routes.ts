import { Type } from '@sinclair/typebox'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { closed, Uuid } from '../../schemas/envelope.ts'
import {
  countLetters,
  discardLetters,
  findLetter,
  letterCounts,
  letterPage,
  requestRedrive,
  type Selection,
} from './dead-letter-rows.ts'
import { personOf } from './person.ts'
import { readable } from './readable.ts'

/** What groups and codes look like: anything else cannot match, and some of it the database cannot even be asked. */
const NAME = '^[A-Za-z0-9_.-]{1,128}$'
const selection = {
  group: Type.String({ pattern: NAME }),
  ids: Type.Optional(Type.Array(Uuid, { minItems: 1, maxItems: 500 })),
  code: Type.Optional(Type.String({ pattern: NAME })),
  execute: Type.Optional(Type.Boolean()),
}
const RedriveBody = closed(selection)
const DiscardBody = closed({
  ...selection,
  reason: Type.String({ minLength: 1, maxLength: 1_000, pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' }),
})
const UUID = new RegExp(Uuid.pattern as string)

/**
 * Dead letters of all groups: look, have them applied again, give them up. Both acts only count unless `execute` says
 * so. Applying again is done by the group itself, shortly after: nobody else sees the event.
 */
export function deadLetterRoutes({ db, now }: { db: Db; now: Clock }): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const filter = { group: nameOf(call, 'group'), code: nameOf(call, 'code') }
    const found = await letterPage(db, filter, after?.[0] ?? null, limit + 1)
    const { items, next } = page(found, limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { letters: items, counts: await letterCounts(db, filter), next },
    }
  }

  async function show(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const letter = UUID.test(id) ? await findLetter(db, id) : undefined
    if (!letter) throw httpError('not_found', 'no such dead letter')
    const { headers, value, ...summary } = letter
    return { status: 200, body: { ...summary, headers, ...readable(value) } }
  }

  async function redrive(call: Call): Promise<Answer> {
    const { execute, ...wanted } = checked(RedriveBody, jsonBody(call))
    const { matching, parked } = await counted(wanted)
    const requested = execute ? await requestRedrive(db, wanted, personOf(call.principal), now()) : 0
    return {
      status: execute ? 202 : 200,
      body: { group: wanted.group, matching, parked, requested, executed: execute === true },
    }
  }

  async function discard(call: Call): Promise<Answer> {
    const { execute, reason, ...wanted } = checked(DiscardBody, jsonBody(call))
    const { matching, parked } = await counted(wanted)
    const why = { by: personOf(call.principal), reason, now: now() }
    const discarded = execute ? await discardLetters(db, wanted, why) : 0
    return { status: 200, body: { group: wanted.group, matching, parked, discarded, executed: execute === true } }
  }

  const counted = (wanted: Selection) => countLetters(db, wanted)
  const access = { roles: ['data'] as const }
  return [
    { method: 'GET', path: '/data/dlq', summary: 'Dead letters, oldest first, and counts', access, handle: list },
    { method: 'GET', path: '/data/dlq/:id', summary: 'One dead letter as it came', access, handle: show },
    {
      method: 'POST',
      path: '/data/dlq/redrive',
      summary: 'Have dead letters applied again by their group',
      access,
      handle: redrive,
    },
    { method: 'POST', path: '/data/dlq/discard', summary: 'Give dead letters up', access, handle: discard },
  ]
}

function nameOf({ query }: Call, parameter: 'group' | 'code'): string | null {
  const value = query.get(parameter)
  if (value === null || new RegExp(NAME).test(value)) return value
  throw httpError('parameter_invalid', `\`${parameter}\` is letters, digits and _ . -`)
}
