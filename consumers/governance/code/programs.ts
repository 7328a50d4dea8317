import { execParts } from '../exec-array.ts'
import type { Language } from '../shell-commands.ts'
import type { Call } from './cursor.ts'
import type { Value } from './values.ts'

const STARTS =
  /^(?:os\.(?:system|popen|exec[lv]p?e?|spawn[lv]p?e?|startfile)|subprocess\.(?:run|call|Popen|check_call|check_output|getoutput|getstatusoutput)|commands\.get(?:status)?output|pty\.spawn|asyncio\.create_subprocess_(?:shell|exec)|child_process\.(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|fork)|execa(?:\.\w{1,12})?|shelljs\.exec|Deno\.run|Bun\.spawn|start-process|(?:diagnostics\.)?process\.start|wscript\.shell\.run|cmd|cmd\.exe)$/
const RUNS =
  /^(?:eval|exec|execfile|compile|Function|new Function|execScript|runpy\.run_\w{1,6}|vm\.(?:runIn\w{1,20}|Script|compileFunction)|invoke-expression|scriptblock\.create|module\._compile|code\.InteractiveInterpreter\(\)\.runsource|setTimeout|setInterval|\(\)\.constructor\.constructor)$/

/** True for a call that starts another program. */
export const startsProgram = (call: Call): boolean => STARTS.test(call.name)
/** True for a call that runs a text as code of its own language; a timer does only when it is given a text. */
export const runsText = ({ name, args }: Call): boolean =>
  RUNS.test(name) && (!/^set/.test(name) || (args[0]?.text ?? null) !== null || args[0]?.decoded === true)

/** What a call that runs a text is given. */
export const runText = ({ name, args }: Call): Value | undefined => (/Function$/.test(name) ? args.at(-1) : args[0])

/** The program and its arguments; an argument that is not known stands as a variable. */
export function argumentsOf({ args, named }: Call): string[] {
  const first = args[0] ?? named.get('args') ?? named.get('filepath')
  if (first === undefined) return []
  if (first.items.length > 0) return first.items.map(shown)
  const rest = args[1] ?? named.get('argumentlist')
  return [shown(first), ...(rest?.items.length ? rest.items.map(shown) : [])]
}

const shown = ({ text }: Value): string => text ?? '$ARG'

/** The code that a call starts, as far as its text is known: shell commands, or more of the same language. */
export function startedBy(call: Call, language: Language): { language: Language; text: string }[] {
  if (runsText(call)) {
    const text = runText(call)?.text
    return text == null || text.length < 3 ? [] : [{ language, text }]
  }
  if (!startsProgram(call)) return []
  const list = argumentsOf(call)
  const [first] = list
  if (first === undefined || first === '$ARG') return []
  if (list.length === 1 && call.args[0]?.items.length === 0) return [{ language: 'shell', text: first }]
  return execParts(list).map(({ language: inner, text }) => ({ language: inner, text }))
}
