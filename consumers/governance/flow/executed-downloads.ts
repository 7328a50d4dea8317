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
import type { PackageView } from '../package-view.ts'
import { type Place, placeIn } from '../place.ts'
import type { Pipeline, TextRange } from '../shell.ts'
import { baseName, pipelineText, rangeOf } from '../shell-commands.ts'

/**
 * A download that a package runs, or makes executable (`mark`). `text` and `from` are the download, `fact` and `range`
 * where it runs; `file` its name when it was saved in between, `checked` when its content was verified before.
 */
export type ExecutedDownload = {
  fact: Fact
  range: TextRange | null
  text: string
  from: Place
  file: string | null
  use: 'run' | 'mark'
  checked: boolean
}

type Saved = { text: string; from: Place; fact: Fact; checked: boolean }

/** Every executed download in shell commands, also one that a later handler runs. */
export function executedDownloads(view: PackageView): readonly ExecutedDownload[] {
  const known = FOUND.get(view)
  if (known !== undefined) return known
  const saved = new Map<string, Saved>()
  const found = view.facts
    .filter(({ kind }) => kind === 'command')
    .flatMap((fact) => [...direct(fact), ...savedAndRun(fact, saved)])
  FOUND.set(view, found)
  return found
}
// A rule and the capabilities ask for the same package.
const FOUND = new WeakMap<PackageView, readonly ExecutedDownload[]>()
const MOST_SAVED = 200

function direct(fact: Fact): ExecutedDownload[] {
  return fact.pipelines.filter(runsDownloadDirectly).map((pipeline) => {
    const range = rangeOf(pipeline)
    const from = placeIn(fact, range)
    return { fact, range, text: pipelineText(pipeline), from, file: null, use: 'run', checked: false }
  })
}

function runsDownloadDirectly(pipeline: Pipeline): boolean {
  const first = pipeline.findIndex(isDownload)
  if (first !== -1 && pipeline.slice(first + 1).some(runsStandardInput)) return true
  return pipeline.some((command) =>
    codeWords(command).some((word) => [...word.substitutions, ...word.processes].some(hasDownload)),
  )
}

function savedAndRun(fact: Fact, saved: Map<string, Saved>): ExecutedDownload[] {
  const used = new Map<string, ExecutedDownload>()
  for (const pipeline of fact.pipelines) {
    // A check counts for what was there to be checked: one before the download proves nothing.
    if (verifiesDownload(pipeline)) for (const one of saved.values()) one.checked = true
    for (const command of pipeline) {
      const file = downloadedFile(command)
      if (file !== null && file !== '' && saved.size < MOST_SAVED) {
        const range = rangeOf(pipeline)
        saved.set(file, { text: pipelineText(pipeline), from: placeIn(fact, range), fact, checked: false })
      }
      for (const name of new Set(command.words.map((word) => baseName(word.text)))) {
        const one = saved.get(name)
        const use = one === undefined ? null : fileUse(command, name)
        // Made executable in another handler than the one that fetched it says nothing more than there.
        if (one === undefined || use === null || (use === 'mark' && one.fact !== fact)) continue
        if (used.get(name)?.use === 'run') continue
        used.set(name, {
          fact,
          range: command.range,
          text: one.text,
          from: one.from,
          file: name,
          use,
          checked: one.checked,
        })
      }
    }
  }
  return [...used.values()]
}
