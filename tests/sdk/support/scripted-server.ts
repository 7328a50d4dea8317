import type { ServerResponse } from 'node:http'
import { bodyOf, type LocalServer, startLocalServer } from './local-server.ts'

/** One answer of the script; a request beyond the script is answered 500 `script_over`. */
export interface Step {
  status?: number
  headers?: Record<string, string>
  json?: unknown
  text?: string
  drop?: 'before_answer' | 'inside_body'
  hang?: boolean
  /** A byte now and then, for as long as anyone listens. */
  trickle?: boolean
}

const TRICKLE_EVERY_MS = 20

export interface Heard {
  method: string
  path: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface ScriptedServer extends LocalServer {
  play: (steps: Step[]) => void
  heard: () => Heard[]
}

/**
 * A server that answers by script, one step a request, and remembers what it heard. The Python tests drive it over
 * HTTP: POST /__script sets the steps, GET /__heard gives the requests.
 */
export async function startScriptedServer(): Promise<ScriptedServer> {
  let steps: Step[] = []
  let heard: Heard[] = []
  const play = (given: Step[]) => {
    steps = [...given]
    heard = []
  }
  const server = await startLocalServer(async (request, response) => {
    const body = (await bodyOf(request)).toString('utf8')
    if (request.url === '/__script') {
      play(JSON.parse(body) as Step[])
      response.end('{}')
    } else if (request.url === '/__heard') {
      response.end(JSON.stringify(heard))
    } else {
      heard.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body })
      perform(steps.shift() ?? { status: 500, json: { code: 'script_over' } }, response)
    }
  })
  return { ...server, play, heard: () => heard }
}

function perform(step: Step, response: ServerResponse): void {
  if (step.hang) return
  if (step.trickle) {
    response.writeHead(200, { 'content-type': 'application/json' })
    const timer = setInterval(() => response.write(' '), TRICKLE_EVERY_MS)
    response.on('close', () => clearInterval(timer))
    return
  }
  if (step.drop === 'before_answer') {
    response.socket?.destroy()
    return
  }
  if (step.drop === 'inside_body') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
    response.write('{"half":', () => response.socket?.destroy())
    return
  }
  const type = step.status === 200 ? 'application/json' : 'application/problem+json'
  response.writeHead(step.status ?? 200, { 'content-type': type, ...step.headers })
  response.end(step.text ?? (step.json === undefined ? '' : JSON.stringify(step.json)))
}
