/** The data service over HTTP, which is all the command line knows. */
export type DataApi = {
  get<B>(path: string, query?: Query): Promise<B>
  post<B>(path: string, body: object): Promise<B>
  /** The answer's text as it arrives. */
  stream(path: string, query?: Query): AsyncGenerator<string>
}
export type Query = Record<string, string | undefined>

/** What the service said instead of an answer; `message` is for people. */
export class ApiRefused extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}
/** Nothing answered, or it stopped in the middle. */
export class Unreachable extends Error {}

/** `base` is the address of the service, `token` a bearer token or API key with the role `data`. */
export function dataApi(
  base: string,
  token: string | undefined,
  signal: AbortSignal,
  setting = 'ATOM_DATA_API',
): DataApi {
  async function send(method: string, path: string, body?: object): Promise<Response> {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    if (body) headers['content-type'] = 'application/json'
    const sent = { method, headers, signal, ...(body ? { body: JSON.stringify(body) } : {}) }
    const response = await fetch(new URL(path, base), sent).catch((cause: unknown) => {
      throw new Unreachable(`${base} does not answer; is the service running there? (${setting})`, { cause })
    })
    if (!response.ok) throw await refusal(response)
    return response
  }

  return {
    get: async <B>(path: string, query: Query = {}) => (await send('GET', withQuery(path, query))).json() as Promise<B>,
    post: async <B>(path: string, body: object) => (await send('POST', path, body)).json() as Promise<B>,
    async *stream(path, query = {}) {
      const { body } = await send('GET', withQuery(path, query))
      if (!body) return
      try {
        for await (const text of body.pipeThrough(new TextDecoderStream())) yield text
      } catch (cause) {
        throw new Unreachable('the answer was cut off', { cause })
      }
    },
  }
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter((one): one is [string, string] => one[1] !== undefined)
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}

async function refusal(response: Response): Promise<ApiRefused> {
  const problem = (await response.json().catch(() => ({}))) as { code?: string; title?: string; detail?: string }
  const code = problem.code ?? 'unknown'
  const hint = response.status === 401 ? ' (set ATOM_TOKEN)' : ''
  return new ApiRefused(
    response.status,
    code,
    `${response.status} ${code}: ${problem.detail ?? problem.title ?? ''}${hint}`,
  )
}
