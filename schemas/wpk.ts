import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

// Every block is open: packages in use carry further keys, and a handler's config is whatever its runtime takes.
const open = { additionalProperties: true }
const OpenObject = Type.Record(Type.String(), Type.Unknown())
// YAML reads `version: 1.28` and `cpu: 2` as numbers.
const TextOrNumber = Type.Union([Type.String({ maxLength: 256 }), Type.Number()])
const ShortText = Type.String({ maxLength: 256 })

const SEMVER =
  '^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$'

/** What a package may be called. */
export const WPK_NAME = '^[a-z0-9][a-z0-9._-]*$'

export const WpkHandler = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 256 }),
    type: Type.Union([Type.Literal('k8s'), Type.Literal('shell'), Type.Literal('api')]),
    config: Type.Optional(OpenObject),
    timeout: Type.Optional(TextOrNumber),
    retry: Type.Optional(
      Type.Object(
        { max_attempts: Type.Optional(Type.Integer({ minimum: 0 })), backoff: Type.Optional(TextOrNumber) },
        open,
      ),
    ),
  },
  open,
)

export const WpkTrigger = Type.Object(
  {
    type: Type.Union([Type.Literal('webhook'), Type.Literal('schedule'), Type.Literal('event')]),
    config: Type.Optional(OpenObject),
  },
  open,
)

const Metadata = Type.Object(
  {
    name: Type.String({ pattern: WPK_NAME, maxLength: 128 }),
    version: Type.String({ pattern: SEMVER, maxLength: 128 }),
    description: Type.Optional(Type.String()),
    author: Type.Optional(Type.String()),
    created: Type.Optional(Type.String()),
    tags: Type.Optional(Type.Array(ShortText)),
    signature: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  open,
)

const Runtime = Type.Object(
  {
    type: Type.Optional(Type.Union([Type.Literal('k8s'), Type.Literal('docker'), Type.Literal('shell')])),
    version: Type.Optional(TextOrNumber),
    requirements: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(TextOrNumber),
          memory: Type.Optional(TextOrNumber),
          storage: Type.Optional(TextOrNumber),
        },
        open,
      ),
    ),
  },
  open,
)

const Safety = Type.Object(
  {
    mode: Type.Optional(Type.Union([Type.Literal('manual'), Type.Literal('auto')])),
    approval_required: Type.Optional(Type.Boolean()),
    dry_run_required: Type.Optional(Type.Boolean()),
    rollback_enabled: Type.Optional(Type.Boolean()),
  },
  open,
)

const Validation = Type.Object(
  {
    schema_version: Type.Optional(TextOrNumber),
    required_permissions: Type.Optional(Type.Array(ShortText)),
    resource_limits: Type.Optional(OpenObject),
  },
  open,
)

const Monitoring = Type.Object(
  {
    metrics_enabled: Type.Optional(Type.Boolean()),
    logging_level: Type.Optional(ShortText),
    alerts: Type.Optional(Type.Array(OpenObject)),
  },
  open,
)

/** A workflow package. What is required is what every part of the marketplace needs to name and judge one. */
export const Wpk = Type.Object(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('WorkflowPackage'),
    metadata: Metadata,
    spec: Type.Object(
      {
        runtime: Type.Optional(Runtime),
        safety: Type.Optional(Safety),
        triggers: Type.Optional(Type.Array(WpkTrigger)),
        handlers: Type.Array(WpkHandler),
        rollback: Type.Optional(
          Type.Object(
            { enabled: Type.Optional(Type.Boolean()), handlers: Type.Optional(Type.Array(WpkHandler)) },
            open,
          ),
        ),
        validation: Type.Optional(Validation),
        monitoring: Type.Optional(Monitoring),
      },
      open,
    ),
  },
  { ...open, $id: 'atom:wpk:v1', title: 'WorkflowPackage' },
)

export type WpkHandler = Static<typeof WpkHandler>
export type WpkTrigger = Static<typeof WpkTrigger>
export type Wpk = Static<typeof Wpk>

/** One place where a document departs from the format; `code` is `schema_<JSON Schema keyword>`. */
export type WpkProblem = { pointer: string; code: string; detail: string }

const compiled = TypeCompiler.Compile(Wpk)
const MAX_PROBLEMS = 20

/** The problems of a parsed document, at most 20; none means it is a `Wpk`. */
export function wpkProblems(value: unknown): WpkProblem[] {
  const problems: WpkProblem[] = []
  if (compiled.Check(value)) return problems
  for (const error of compiled.Errors(value)) {
    // A missing key is reported twice: as absent and as of the wrong type.
    if (problems.some(({ pointer }) => pointer === error.path)) continue
    problems.push({
      pointer: error.path,
      code: codeOf(error.schema, error.value),
      detail: detailOf(error.schema, error.message),
    })
    if (problems.length === MAX_PROBLEMS) break
  }
  return problems
}

/** True when `value` is a workflow package by this schema. */
export const isWpk = (value: unknown): value is Wpk => compiled.Check(value)

function codeOf(schema: TSchema, value: unknown): string {
  if (value === undefined) return 'schema_required'
  if (schema.const !== undefined || schema.anyOf !== undefined) return 'schema_enum'
  if (schema.pattern !== undefined && typeof value === 'string') return 'schema_pattern'
  return 'schema_type'
}

function detailOf(schema: TSchema, message: string): string {
  const choices: unknown[] = (schema.anyOf ?? [])
    .map((item: TSchema) => item.const)
    .filter((item: unknown) => item !== undefined)
  if (choices.length > 0) return `expected one of ${choices.map((choice) => `"${choice}"`).join(', ')}`
  if (schema.pattern === SEMVER) return 'expected a semantic version such as 1.2.3'
  return message.charAt(0).toLowerCase() + message.slice(1)
}
