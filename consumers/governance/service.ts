import { Type } from '@sinclair/typebox'
import { systemClock } from '../../platform/clock.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { closed } from '../../schemas/envelope.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { Analyzer } from './analyzer.ts'
import { type FormerModel, readFormerModels } from './former-models.ts'
import { judgedOrHeld } from './held-verdict.ts'
import { readSample } from './sample.ts'
import { sarifOf } from './sarif.ts'
import { readSuppressions, withSuppressions } from './suppressions.ts'

const MAX_BODY_BYTES = 2_500_000
const AnalyzeBody = closed({
  id: Type.Optional(Type.String({ maxLength: 128 })),
  content: Type.Optional(Type.String()),
  media_type: Type.Optional(Type.Union([Type.Literal('application/json'), Type.Literal('application/yaml')])),
})

const SARIF = 'application/sarif+json'

/** The verdict in the form that the caller asks for: our own, or SARIF. */
function inForm(call: Call, verdict: Verdict): Answer {
  if (!call.header('accept')?.toLowerCase().includes(SARIF)) return { status: 200, body: verdict }
  return { status: 200, bytes: Buffer.from(JSON.stringify(sarifOf(verdict))), type: SARIF }
}

/** Every call of port 8070: judge a document that is not (yet) submitted, and say with which models. */
export function governanceRoutes(analyzer: Analyzer, now = systemClock, suppressions = readSuppressions()): Route[] {
  const judge = async (bytes: Uint8Array, mediaType?: string): Promise<Verdict> =>
    withSuppressions(await judgedOrHeld(bytes, () => analyzer.analyze(bytes, mediaType)), suppressions, now())

  async function analyze(call: Call): Promise<Answer> {
    // curl sends JSON as a form unless told otherwise; this call is the first one people try.
    const { id, content, media_type } = checked(
      AnalyzeBody,
      jsonBody(call, { anyType: true, maxBytes: MAX_BODY_BYTES }),
    )
    if (content !== undefined) return inForm(call, await judge(Buffer.from(content, 'utf8'), media_type))
    if (id === 'sample') return inForm(call, await judge(await readSample()))
    if (id !== undefined)
      throw httpError('not_found', 'the only shipped document is `sample`; send `content` for others')
    throw httpError('body_malformed', 'send `content` (the document as text) or `{"id": "sample"}`')
  }

  let former: Promise<FormerModel[]> | undefined
  async function models(): Promise<Answer> {
    former ??= readFormerModels()
    const inUse = analyzer.models()
    const before = (await former).filter(({ sha256 }) => !inUse.some((one) => one.sha256 === sha256))
    const models = [
      ...inUse.map((one) => ({ ...one, in_use: true })),
      ...before.map((one) => ({ ...one, in_use: false })),
    ]
    return { status: 200, body: { models } }
  }

  return [
    {
      method: 'POST',
      path: '/analyze',
      summary: 'Judge a document',
      access: everyone,
      maxBytes: MAX_BODY_BYTES,
      handle: analyze,
    },
    {
      method: 'GET',
      path: '/models',
      summary: 'The model in use and every one before it, and how they were measured',
      access: everyone,
      handle: models,
    },
  ]
}
