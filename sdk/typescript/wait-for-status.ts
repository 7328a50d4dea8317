import type { Workflow, WorkflowStatus } from './answers.ts'
import { AtomError } from './atom-error.ts'
import { type CallOptions, runtimeOf } from './call-options.ts'
import { getWorkflow } from './get-workflow.ts'

export interface WaitOptions extends Omit<CallOptions, 'timeoutMs' | 'deadlineMs'> {
  /** How long to wait in all (60 s). */
  timeoutMs?: number | undefined
}

const FIRST_POLL_MS = 200
const SLOWEST_POLL_MS = 2000
const NEVER_LEFT: readonly WorkflowStatus[] = ['rejected', 'yanked']

/**
 * Polls until the package version has one of `statuses` and gives its metadata. Throws AtomError `wait_timeout`, or
 * `status_final` as soon as it can no longer get there.
 */
export async function waitForStatus(
  id: string,
  token: string,
  statuses: readonly WorkflowStatus[],
  options: WaitOptions = {},
): Promise<Workflow> {
  const { timeoutMs = 60_000, ...callOptions } = options
  const runtime = runtimeOf(options)
  const endsAt = runtime.elapsedMs() + timeoutMs
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(SLOWEST_POLL_MS, pollMs * 2)) {
    const left = Math.max(1, endsAt - runtime.elapsedMs())
    const workflow = await getWorkflow(id, token, { ...callOptions, deadlineMs: left })
    if (statuses.includes(workflow.status)) return workflow
    if (NEVER_LEFT.includes(workflow.status)) throw stopped('status_final', workflow, statuses, 'and stays so')
    if (runtime.elapsedMs() + pollMs >= endsAt) {
      throw stopped('wait_timeout', workflow, statuses, `after ${timeoutMs} ms`)
    }
    await runtime.sleep(pollMs, options.signal)
  }
}

function stopped(code: string, workflow: Workflow, statuses: readonly string[], how: string): AtomError {
  const reason = workflow.reason ? ` (${workflow.reason})` : ''
  const detail = `${workflow.id} is ${workflow.status}${reason} ${how}; waited for ${statuses.join(' or ')}`
  return new AtomError({ code, title: 'The awaited status was not reached', detail })
}
