/** One call of a service; any answer but 2xx or one of `accept` is an error that shows the problem. */
export async function call<T>(
  method: 'GET' | 'POST',
  url: string,
  token: string,
  body?: unknown,
  accept: readonly number[] = [],
): Promise<{ status: number; body: T }> {
  const answer = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok && !accept.includes(answer.status))
    throw new Error(`${method} ${url} answered ${answer.status}: ${text}`)
  return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as T }
}

/** Asks until `done` says yes. The time limit is generous: it only ends a start that hangs. */
export async function until<T>(
  ask: () => Promise<T>,
  done: (value: T) => boolean,
  what: string,
  limitMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = await ask()
    if (done(value)) return value
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${limitMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
