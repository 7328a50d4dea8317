import type { Call } from './code/cursor.ts'
import { startedBy } from './code/programs.ts'
import { execParts } from './exec-array.ts'
import type { Pipeline } from './shell.ts'
import { handedOver, type InlineCode } from './shell-commands.ts'

// A call that starts a program, with a text or a list of texts as its first argument. Lengths are bounded so that the
// search stays linear.
const CALL =
  /(?:\bos\.(?:system|popen)|\bsubprocess\.(?:run|call|Popen|check_call|check_output|getoutput)|\b(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|system|popen|shell_exec|passthru)|\bOpen3\.\w{1,20})\(\s{0,20}(\[[^\]]{0,2000}\]|(?:[frb]{0,2})("(?:[^"\\\n]|\\.){0,4000}"|'(?:[^'\\\n]|\\.){0,4000}'|`[^`]{0,4000}`))/g
const TEXT = /"((?:[^"\\\n]|\\.){0,2000})"|'((?:[^'\\\n]|\\.){0,2000})'/g

/** The shell commands that other code starts (`os.system('...')`, `execSync("...")`, `subprocess.run([...])`). */
export const embeddedPipelines = (code: readonly InlineCode[]): Pipeline[] =>
  code.flatMap((item) => {
    if (item.rewritten === true) return []
    return item.calls === undefined ? byPattern(item) : item.calls.flatMap((call) => byCall(item, call))
  })

const byCall = ({ language, within }: InlineCode, call: Call): Pipeline[] =>
  startedBy(call, language).flatMap((inner) =>
    inner.language === 'shell' ? handedOver(inner.text, 0, within ?? { start: call.start, end: call.end }) : [],
  )

function byPattern({ text, within }: InlineCode): Pipeline[] {
  return [...text.matchAll(CALL)].flatMap((call) => {
    const list = call[1] ?? ''
    const place = within ?? { start: call.index, end: call.index + call[0].length }
    if (!list.startsWith('[')) return handedOver(unquoted(call[2] ?? ''), 0, place)
    const items = [...list.matchAll(TEXT)].map((item) => item[1] ?? item[2] ?? '')
    return execParts(items).flatMap((part) => (part.language === 'shell' ? handedOver(part.text, 0, place) : []))
  })
}

const unquoted = (literal: string): string =>
  literal
    .slice(1, -1)
    .replace(/\\(["'\\])/g, '$1')
    .replaceAll('\\n', '\n')
