import type { ServerResponse } from 'node:http'
import type { FieldError } from '../../../sdk/typescript/index.ts'

/** Thrown by a fake service's route, answered as problem+json. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly errors: FieldError[] = [],
  ) {
    super(code)
  }
}

export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

export function answerProblem(response: ServerResponse, instance: string, problem: Problem): void {
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' })
  const { status, code, errors } = problem
  const title = code.replaceAll('_', ' ')
  response.end(
    JSON.stringify({
      type: `https://atom.example/problems/${code}`,
      title,
      status,
      detail: `refused: ${title}`,
      instance,
      code,
      request_id: '019585a0-0000-7000-8000-000000000001',
      errors,
    }),
  )
}
