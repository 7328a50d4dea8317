import {
  codeWords,
  downloadedFile,
  fileUse,
  hasDownload,
  isDownload,
  runsStandardInput,
  verifiesDownload,
} from '../downloads.ts'
import type { Fact } from '../facts.ts'
import { excerpt } from '../masking.ts'
import type { Pipeline } from '../shell.ts'
import type { InlineCode } from '../shell-commands.ts'
import { baseName, pipelineText } from '../shell-commands.ts'
import { type Finding, firstOf, type Rule } from './rule.ts'

/** WPK-P2-005: something fetched at run time is executed, so what runs is not what was signed and reviewed. */
export const remoteScriptExecuted: Rule = {
  id: 'WPK-P2-005',
  version: 1,
  name: 'remote script executed',
  severity: 'high',
  about:
    'A download that is executed: piped into an interpreter, evaluated, or saved and run. A check of its sha256 or signature between the two makes it low; a download that is only stored or read is silent.',
  remediation: 'Put the script into the package or an image pinned by digest, or check its sha256 before it runs.',
  hygiene: false,
  check: (view) => view.facts.filter((fact) => fact.kind === 'command').flatMap(executedDownloads),
}

function executedDownloads(fact: Fact): Finding[] {
  const direct = firstOf(fact.pipelines, runsDownloadDirectly).map((pipeline) => finding(fact, pipelineText(pipeline)))
  return [
    ...direct,
    ...savedAndRun(fact),
    ...firstOf(fact.code, codeRunsDownload).map((code) => finding(fact, code.text)),
  ]
}

const finding = (fact: Fact, text: string): Finding => ({
  pointer: fact.pointer,
  severity: 'high',
  confidence: 'high',
  message: `a download is executed: ${excerpt(text)}`,
  matched: text,
})

function runsDownloadDirectly(pipeline: Pipeline): boolean {
  const first = pipeline.findIndex(isDownload)
  if (first !== -1 && pipeline.slice(first + 1).some(runsStandardInput)) return true
  return pipeline.some((command) =>
    codeWords(command).some((word) => [...word.substitutions, ...word.processes].some(hasDownload)),
  )
}

function savedAndRun(fact: Fact): Finding[] {
  const saved = new Map<string, string>()
  const used = new Map<string, { use: 'run' | 'mark'; checked: boolean }>()
  const verified = new Set<string>()
  const unchecked: string[] = []
  for (const pipeline of fact.pipelines) {
    // A check counts for what was there to be checked: one before the download proves nothing.
    if (verifiesDownload(pipeline)) for (const name of unchecked.splice(0)) verified.add(name)
    for (const command of pipeline) {
      const file = downloadedFile(command)
      if (file !== null && file !== '') {
        saved.set(file, pipelineText(pipeline))
        verified.delete(file)
        unchecked.push(file)
      }
      for (const name of new Set(command.words.map((word) => baseName(word.text)))) {
        const use = saved.has(name) ? fileUse(command, name) : null
        if (use !== null && used.get(name)?.use !== 'run') used.set(name, { use, checked: verified.has(name) })
      }
    }
  }
  return [...used].map(([name, { use, checked }]): Finding => {
    const base = finding(fact, saved.get(name) ?? name)
    if (checked)
      return { ...base, severity: 'low', message: `a download is executed after a check of its content: ${name}` }
    // Made executable but not run here: usually a tool that a later step calls.
    if (use === 'mark')
      return { ...base, severity: 'medium', confidence: 'low', message: `a download is made executable: ${name}` }
    return base
  })
}

const FETCH = String.raw`(?:requests\.(?:get|post)|urllib2?(?:\.request)?\.urlopen|urlopen|httpx\.get|fetch|axios\.get|Net::HTTP\.get|URI\.open|open-uri|HTTParty\.get|DownloadString|Invoke-WebRequest|iwr)`
const RUN = String.raw`\b(?:exec|eval|compile|instance_eval|new Function|iex|Invoke-Expression)\s{0,3}[( ]\s{0,3}`
const ANY_FETCH = new RegExp(String.raw`\b${FETCH}\b`)
const RUN_FETCH = new RegExp(String.raw`${RUN}[^\n]{0,80}\b${FETCH}\b`, 'i')
const FETCHED = new RegExp(String.raw`\b([A-Za-z_]\w{0,60})\s{0,4}=\s{0,4}[^\n=]{0,120}\b${FETCH}\s{0,3}\(`, 'g')

const MADE_EXECUTABLE = /\bS_I[EX]*XEC|\bchmod(?:Sync)?\([^\n]{0,80}\b(?:0o?)?7[0-7]{2}\b|\bchmod \+x/

// What was fetched is handed on to something that runs it, over callbacks, a file or a pipe.
const HANDED_ON = [
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
