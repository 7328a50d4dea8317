import type { Fact } from '../facts.ts'
import { type ExecutedDownload, executedDownloads } from '../flow/executed-downloads.ts'
import { flowSteps } from '../flow/steps.ts'
import { excerpt } from '../masking.ts'
import type { PackageView } from '../package-view.ts'
import { placeIn } from '../place.ts'
import type { InlineCode } from '../shell-commands.ts'
import { type Finding, firstOf, MAX_FINDINGS, type Rule } from './rule.ts'

/** WPK-P2-005: something fetched at run time is executed, so what runs is not what was signed and reviewed. */
export const remoteScriptExecuted: Rule = {
  id: 'WPK-P2-005',
  version: 2,
  name: 'remote script executed',
  severity: 'high',
  about:
    'A download that is executed: piped into an interpreter, evaluated, or saved and run, by a later handler too. A check of its sha256 or signature between the two makes it low; a download that is only stored or read is silent.',
  remediation: 'Put the script into the package or an image pinned by digest, or check its sha256 before it runs.',
  hygiene: false,
  check: (view) => [
    ...executedDownloads(view)
      .slice(0, 4 * MAX_FINDINGS)
      .map(executed),
    ...inOtherCode(view),
  ],
}

const inOtherCode = (view: PackageView): Finding[] =>
  view.facts
    .filter((fact) => fact.kind === 'command')
    .flatMap((fact) => {
      const read = fact.code.flatMap((code) =>
        (code.runs ?? [])
          .filter(({ how }) => how === 'fetched')
          .map(({ call, host }) => {
            const text = code.text.slice(call.start, call.end)
            const place = placeIn(fact, code.within ?? { start: call.start, end: call.end })
            return {
              ...finding(fact, text),
              ...place,
              message: `what ${excerpt(host)} answers is executed: ${excerpt(text)}`,
            }
          }),
      )
      if (read.length > 0) return read.slice(0, MAX_FINDINGS)
      return firstOf(fact.code, codeRunsDownload)
        .slice(0, 1)
        .map((code) => finding(fact, code.text))
    })

const finding = (fact: Fact, text: string): Finding => ({
  pointer: fact.pointer,
  severity: 'high',
  confidence: 'high',
  message: `a download is executed: ${excerpt(text)}`,
  matched: text,
})

function executed({ fact, range, text, from, file, use, checked }: ExecutedDownload): Finding {
  const place = placeIn(fact, range)
  const base: Finding = { ...finding(fact, text), ...place }
  if (checked)
    return { ...base, severity: 'low', message: `a download is executed after a check of its content: ${file}` }
  // Made executable but not run here: usually a tool that a later step calls.
  if (use === 'mark')
    return { ...base, severity: 'medium', confidence: 'low', message: `a download is made executable: ${file}` }
  if (from.pointer === fact.pointer) return base
  const message = `a download is executed, fetched at ${from.pointer}: ${excerpt(text)}`
  return { ...base, message, flow: flowSteps(from, [], place) }
}

const FETCH = String.raw`(?:requests\.(?:get|post)|urllib2?(?:\.request)?\.urlopen|urlopen|httpx\.get|fetch|axios\.get|Net::HTTP\.get|URI\.open|open-uri|HTTParty\.get|DownloadString|Invoke-WebRequest|iwr)`
const RUN = String.raw`\b(?:exec|eval|compile|instance_eval|new Function|iex|Invoke-Expression)\s{0,3}[( ]\s{0,3}`
const ANY_FETCH = new RegExp(String.raw`\b${FETCH}\b`)
const RUN_FETCH = new RegExp(String.raw`${RUN}[^\n]{0,80}\b${FETCH}\b`, 'i')
const FETCHED = new RegExp(String.raw`\b([A-Za-z_]\w{0,60})\s{0,4}=\s{0,4}[^\n=]{0,120}\b${FETCH}\s{0,3}\(`, 'g')

const MADE_EXECUTABLE = /\bS_I[EX]*XEC|\bchmod(?:Sync)?\([^\n]{0,80}\b(?:0o?)?7[0-7]{2}\b|\bchmod \+x/

// What was fetched is handed on to something that runs it, over callbacks, a file or a pipe.
const HANDED_ON = [
  /\b(?:eval|assert|create_function)\s?\(\s?[^\n;]{0,40}\bfile_get_contents\(\s?["']https?:/i,
  /\bfetch\([^\n]{0,300}\.then\(\s?(?:eval|Function|exec)\b/,
  /\bhttps?\.get\([\s\S]{0,400}?\b(?:eval|Function|runInThisContext|_compile)\s?\(\s?[A-Za-z_]/,
  /\b(?:urlretrieve|download_file|wget\.download)\([\s\S]{0,400}?\b(?:os\.(?:system|popen|startfile|exec\w{1,3})|subprocess\.\w{1,16})\s?\(/,
  /\.write\([^\n]{0,80}(?:requests\.get|urlopen)\([\s\S]{0,400}?\b(?:os\.(?:system|popen|startfile)|subprocess\.\w{1,16})\s?\(/,
  /\bDownloadFile\([\s\S]{0,400}?\b(?:Start-Process|Invoke-Item|& )/i,
  /\b(?:iwr|irm|curl|wget|Invoke-WebRequest|Invoke-RestMethod)\b[^\n|]{0,300}\|\s?(?:iex|Invoke-Expression)\b/i,
]

function codeRunsDownload({ text }: InlineCode): boolean {
  if (RUN_FETCH.test(text) || HANDED_ON.some((pattern) => pattern.test(text))) return true
  if (MADE_EXECUTABLE.test(text) && ANY_FETCH.test(text)) return true
  const names = new Set([...text.matchAll(FETCHED)].map((match) => match[1] ?? ''))
  return [...text.matchAll(new RegExp(String.raw`${RUN}([A-Za-z_]\w{0,60})`, 'g'))].some((match) =>
    names.has(match[1] ?? ''),
  )
}
