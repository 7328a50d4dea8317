/** The error a promise is rejected with; fails when it is not. */
export async function rejected(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
}
