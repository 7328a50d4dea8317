/** A client that shows each request and its answer, so that a reader can repeat it with curl. */
export type TracedCall = <T>(request: TracedRequest) => Promise<T>
export type TracedRequest = {
  as: string
  method?: 'GET' | 'POST'
  url: string
  token: string
  body?: Record<string, unknown>
  /** Statuses that are no failure of the walk, beside 2xx. */
  accept?: number[]
  /** Members of the answer worth showing; all when absent. */
  show?: (answer: never) => unknown
  quiet?: boolean
}

const LONGEST = 72

export function tracedCall(print: (line: string) => void): TracedCall {
  return async <T>({ as, method = 'GET', url, token, body, accept = [], show, quiet }: TracedRequest): Promise<T> => {
    if (!quiet) {
      print(`   → ${method} ${url}   (as ${as})`)
      if (body) print(`     ${JSON.stringify(shortened(body))}`)
    }
    const answer = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    const value = JSON.parse(text) as T
    if (!quiet) print(`   ← ${answer.status} ${JSON.stringify(answer.ok && show ? show(value as never) : value)}`)
    if (!answer.ok && !accept.includes(answer.status))
      throw new Error(`${method} ${url} answered ${answer.status}: ${text}`)
    return value
  }
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string')
    return value.length > LONGEST ? `${value.slice(0, LONGEST)}… (${value.length} characters)` : value
  if (Array.isArray(value)) return value.map(shortened)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shortened(one)]))
}
