/** One fault inside a request or document; `pointer` is an RFC 6901 JSON Pointer into it. */
export type Fault = { pointer: string; code: string; detail: string }

export type ErrorDefinition = { status: number; title: string }

/** An expected failure with a stable code. `retriable: false` sends an event to the dead letters at once. */
export class AppError<C extends string = string> extends Error {
  readonly code: C
  readonly status: number
  readonly title: string
  readonly errors: Fault[]
  readonly headers: Record<string, string>
  readonly retriable: boolean

  constructor(
    code: C,
    definition: ErrorDefinition,
    detail: string,
    more: { errors?: Fault[]; headers?: Record<string, string>; retriable?: boolean; cause?: unknown } = {},
  ) {
    super(detail, more.cause === undefined ? {} : { cause: more.cause })
    this.code = code
    this.status = definition.status
    this.title = definition.title
    this.errors = more.errors ?? []
    this.headers = more.headers ?? {}
    this.retriable = more.retriable ?? definition.status >= 500
  }
}

export type ErrorMaker<C extends string> = {
  definitions: Record<C, ErrorDefinition>
  (code: C, detail: string, more?: ConstructorParameters<typeof AppError>[3]): AppError<C>
}

/** Declares the closed set of codes a room may answer with; the reference page is made from the same table. */
export function defineErrors<C extends string>(definitions: Record<C, ErrorDefinition>): ErrorMaker<C> {
  const make = (code: C, detail: string, more?: ConstructorParameters<typeof AppError>[3]) =>
    new AppError(code, definitions[code], detail, more)
  return Object.assign(make, { definitions })
}

/** Text of any thrown value, for logs and dead letters. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
