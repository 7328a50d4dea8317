import { parentPort } from 'node:worker_threads'
import { AppError, type Fault, messageOf } from '../errors.ts'

/** Work by name. What goes in and comes out is cloned between threads: plain data and bytes. */
export type Jobs = Record<string, (input: never) => unknown>
/** The name of no job: who asks for it wants to know that the thread is there. */
export const NOTHING = ''
export type ThreadRequest = { id: number; name: string; input: unknown }
export type PlainError = { code: string; status: number; title: string; detail: string; errors: Fault[] }
export type ThreadReply =
  | { kind: 'ready' }
  | { kind: 'done'; id: number; value: unknown }
  | { kind: 'refused'; id: number; error: PlainError }
  | { kind: 'failed'; id: number; detail: string }

/** The body of a thread that does one job after the other. Throws on the main thread. */
export function serveJobs(jobs: Jobs): void {
  const port = parentPort
  if (port === null) throw new Error('serveJobs runs in a worker thread only')
  port.on('message', async ({ id, name, input }: ThreadRequest) => {
    port.postMessage(await answer(jobs, id, name, input))
  })
  port.postMessage({ kind: 'ready' } satisfies ThreadReply)
}

async function answer(jobs: Jobs, id: number, name: string, input: unknown): Promise<ThreadReply> {
  try {
    if (name === NOTHING) return { kind: 'done', id, value: undefined }
    const job = jobs[name]
    if (!job) throw new Error(`no job ${name}`)
    return { kind: 'done', id, value: await job(input as never) }
  } catch (error) {
    if (error instanceof AppError) return { kind: 'refused', id, error: plainError(error) }
    return { kind: 'failed', id, detail: messageOf(error) }
  }
}

/** An expected failure as data, since a class does not survive the way between threads. */
export const plainError = ({ code, status, title, message, errors }: AppError): PlainError => ({
  code,
  status,
  title,
  detail: message,
  errors,
})

/** The failure that `plainError` made data of. */
export const errorOf = ({ code, status, title, detail, errors }: PlainError): AppError =>
  new AppError(code, { status, title }, detail, { errors })
