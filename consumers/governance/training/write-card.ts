import { readFileSync, writeFileSync } from 'node:fs'
import type { ModelCard } from '../model-card.ts'
import { cardFigures } from './card-figures.ts'
import { readRows } from './development-rows.ts'
import { figuresOf } from './figures.ts'
import { type Judged, judgeRows, WAYS } from './judged-rows.ts'
import { type JudgedSample, judgeSamples } from './judged-samples.ts'
import { summaryOf } from './summary.ts'
import { wilson } from './wilson.ts'

const MODEL = new URL('../model/model.json', import.meta.url)
const CARD = new URL('../../../docs/model-card.md', import.meta.url)
const [FROM, TO] = ['<!-- measured: written by `npm run train` -->\n', '<!-- end of measured -->']

const rounded = (value: number): number => Math.round(value * 10_000) / 10_000

/** The figures of the leave-one-source-out validation, for `model.json`: shares with intervals, and the summaries. */
const leftOutFigures = (judged: readonly Judged[]): Record<string, unknown> => ({
  figures: Object.fromEntries(
    figuresOf(judged).map(({ figure, hits, of }) => {
      const { share, low, high } = wilson(hits, of)
      return [figure, { hits, of, share: rounded(share), low: rounded(low), high: rounded(high) }]
    }),
  ),
  ...Object.fromEntries(
    WAYS.map((way) => [
      way,
      Object.fromEntries(Object.entries(summaryOf(judged, way)).map(([name, value]) => [name, rounded(value)])),
    ]),
  ),
})

/** `model.json` and the card with what the committed rows, models and rules measure. */
export function measuredFiles(samples: readonly JudgedSample[]): { file: URL; text: string }[] {
  const judged = judgeRows(readRows())
  const model = JSON.parse(readFileSync(MODEL, 'utf8')) as ModelCard
  const card = readFileSync(CARD, 'utf8')
  const [start, end] = [card.indexOf(FROM) + FROM.length, card.indexOf(TO)]
  if (start < FROM.length || end < start) throw new Error(`${CARD.pathname} has lost the marks of its measured part`)
  const measured = { ...model.measured, leave_one_source_out: leftOutFigures(judged) }
  return [
    { file: MODEL, text: `${JSON.stringify({ ...model, measured }, null, 2)}\n` },
    {
      file: CARD,
      text: `${card.slice(0, start)}\n${cardFigures(judged, samples, measured)}\n${card.slice(end)}`,
    },
  ]
}

if (import.meta.url === new URL(process.argv[1] ?? '', 'file:').href) {
  for (const { file, text } of measuredFiles(judgeSamples())) {
    writeFileSync(file, text)
    console.log(`written to ${file.pathname}`)
  }
}
