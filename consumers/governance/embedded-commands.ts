import { execParts } from './exec-array.ts'
import { type Pipeline, parseShell } from './shell.ts'
import { allPipelines, type InlineCode } from './shell-commands.ts'

// A call that starts a program, with a text or a list of texts as its first argument. Lengths are bounded so that the
// search stays linear.
const CALL =
  /(?:\bos\.(?:system|popen)|\bsubprocess\.(?:run|call|Popen|check_call|check_output|getoutput)|\b(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|system|popen|shell_exec|passthru)|\bOpen3\.\w{1,20})\(\s{0,20}(\[[^\]]{0,2000}\]|(?:[frb]{0,2})("(?:[^"\\\n]|\\.){0,4000}"|'(?:[^'\\\n]|\\.){0,4000}'|`[^`]{0,4000}`))/g
const TEXT = /"((?:[^"\\\n]|\\.){0,2000})"|'((?:[^'\\\n]|\\.){0,2000})'/g

/** The shell commands that other code starts (`os.system('...')`, `execSync("...")`, `subprocess.run([...])`). */
export function embeddedPipelines(code: readonly InlineCode[]): Pipeline[] {
  return code.flatMap(({ text }) =>
    [...text.matchAll(CALL)].flatMap((call) => {
      const list = call[1] ?? ''
      if (!list.startsWith('[')) return allPipelines(parseShell(unquoted(call[2] ?? '')), 1)
      const items = [...list.matchAll(TEXT)].map((item) => item[1] ?? item[2] ?? '')
      return execParts(items).flatMap((part) =>
        part.language === 'shell' ? allPipelines(parseShell(part.text), 1) : [],
      )
    }),
  )
}

const unquoted = (literal: string): string =>
  literal
    .slice(1, -1)
    .replace(/\\(["'\\])/g, '$1')
    .replaceAll('\\n', '\n')
