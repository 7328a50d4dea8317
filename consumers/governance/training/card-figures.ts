import type { ModelCard } from '../model-card.ts'
import { REVIEW_THRESHOLD } from '../risk.ts'
import { isRisky } from './development-rows.ts'
import { criticalExamples, figuresOf, flagged } from './figures.ts'
import { type Judged, WAYS } from './judged-rows.ts'
import { type JudgedSample, ratesOf } from './judged-samples.ts'
import { reliabilityOf, summaryOf } from './summary.ts'
import { shareText } from './wilson.ts'

const table = (...rows: string[][]): string[] => {
  const [head = [], ...rest] = rows
  return [head, head.map(() => '---'), ...rest].map((cells) => `| ${cells.join(' | ')} |`)
}
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`

/** The measured part of the model card, in Markdown: a pure function of rows, models and rules. */
export function cardFigures(
  judged: readonly Judged[],
  samples: readonly JudgedSample[],
  measured: ModelCard['measured'],
): string {
  return [
    ...samplePart(samples, measured),
    ...sourcePart(judged),
    ...splitPart(judged, 'family', ({ row }) => row.family),
    ...splitPart(judged, 'source', ({ row }) => row.source),
    ...reliabilityPart(judged),
  ].join('\n')
}

function samplePart(samples: readonly JudgedSample[], measured: ModelCard['measured']): string[] {
  const rows = WAYS.map((way) => {
    const { recall, alarms, precision } = ratesOf(samples, way)
    return [way, percent(recall), percent(alarms), precision.toFixed(3)]
  })
  return [
    '### Kinds of attack it has never seen',
    '',
    `The ${samples.length} synthetic samples at the review threshold; half of them are the harmless twins of the others. The training runs ${measured.families} times, each time without one family of samples, and judges that family.`,
    '',
    ...table(['', 'recall', 'false alarms', 'average precision'], ...rows),
    '',
  ]
}

function sourcePart(judged: readonly Judged[]): string[] {
  const { hits, of } = criticalExamples()
  const sources = new Set(judged.map(({ row }) => row.source)).size
  const scores = WAYS.map((way) => {
    const { balanced_accuracy, average_precision, brier } = summaryOf(judged, way)
    return [way, balanced_accuracy.toFixed(4), average_precision.toFixed(4), brier.toFixed(4)]
  })
  return [
    '### Sources it has never seen',
    '',
    `${judged.length} third-party packages of ${sources} sources. Each is judged by a model that was trained without any package of its source. 95 % intervals by Wilson.`,
    '',
    ...table(
      ['figure', 'measured', 'asked'],
      ...figuresOf(judged).map((one) => [one.figure, shareText(one.hits, one.of), one.target]),
      ['documentation examples: critical finding', shareText(hits, of), '<= 5 %'],
    ),
    '',
    `In one number, malicious and vulnerable packages against those in real use (balanced accuracy at ${REVIEW_THRESHOLD}, average precision), and over all packages (Brier score, less is better):`,
    '',
    ...table(['', 'balanced accuracy', 'average precision', 'Brier score'], ...scores),
    '',
  ]
}

function splitPart(judged: readonly Judged[], name: string, key: (one: Judged) => string): string[] {
  const rows = groupsOf(judged, key).map(([value, group]) => {
    const matching = ['malicious', 'vulnerable'].map((tier) => {
      const found = figuresOf(group).find(({ figure }) => figure === `${tier}: matching rule, medium or more`)
      return shareText(found?.hits ?? 0, found?.of ?? 0)
    })
    const flaggedOf = [
      group.filter(({ row }) => isRisky(row)),
      group.filter(({ row }) => row.kind === 'real-benign'),
    ].flatMap((part) => WAYS.map((way) => shareText(part.filter((one) => flagged(one[way])).length, part.length)))
    return [value, ...matching, ...flaggedOf]
  })
  const flaggedHead = ['risky', 'in real use'].flatMap((part) => WAYS.map((way) => `${part}: ${way}`))
  return [
    `By ${name}: malicious and vulnerable packages with a matching finding of medium or more, and packages with a risk of ${REVIEW_THRESHOLD} or more by rules, model and both:`,
    '',
    ...table([name, 'malicious: matching', 'vulnerable: matching', ...flaggedHead], ...rows),
    '',
  ]
}

/** Packages by what `key` says of them, in the order of its values. */
export function groupsOf(judged: readonly Judged[], key: (one: Judged) => string): [string, Judged[]][] {
  return [...new Set(judged.map(key))].sort().map((value) => [value, judged.filter((one) => key(one) === value)])
}

function reliabilityPart(judged: readonly Judged[]): string[] {
  const rows = (['model', 'both'] as const).flatMap((way) =>
    reliabilityOf(judged, way).map(({ band, said, hits, of }) => [way, band, said.toFixed(2), shareText(hits, of)]),
  )
  return [
    '### What the risk is worth',
    '',
    'The share of malicious or vulnerable packages in each band of risk, judged without their source:',
    '',
    ...table(['', 'risk', 'said on average', 'measured'], ...rows),
    '',
  ]
}
