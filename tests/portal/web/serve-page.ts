import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import type { CannedAnswers } from './canned-answers.ts'

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export type ServedPage = {
  origin: string
  /** What the next questions are answered with. */
  answers: CannedAnswers
  /** Each /analytics question so far: its path and Authorization header. */
  asked: { path: string; authorization: string | undefined }[]
  /** While set, answers wait for it. */
  gate: Promise<void> | null
  close: () => Promise<void>
}

/** Serves a built page on loopback under the strict content security policy, with canned answers to its questions. */
export const servePage = async (dir: string, answers: CannedAnswers): Promise<ServedPage> => {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname
    const send = (status: number, type: string, body: Buffer | string) =>
      response.writeHead(status, { 'Content-Type': type, 'Content-Security-Policy': csp }).end(body)
    const answer = async () => {
      if (path.startsWith('/analytics/')) {
        page.asked.push({ path, authorization: request.headers.authorization })
        const canned = page.answers[path.slice('/analytics/'.length) as keyof CannedAnswers]
        await page.gate
        const kind = canned.status === 200 ? 'application/json' : 'application/problem+json'
        return send(canned.status, kind, JSON.stringify(canned.body))
      }
      const name = path === '/' ? 'index.html' : normalize(path)
      const bytes = await readFile(join(dir, name)).catch(() => null)
      return bytes === null ? send(404, 'text/plain', 'absent') : send(200, types[extname(name)] ?? 'text/plain', bytes)
    }
    answer().catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const page: ServedPage = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    asked: [],
    gate: null,
    close: () => {
      server.closeAllConnections()
      return new Promise((closed) => server.close(() => closed()))
    },
  }
  return page
}
