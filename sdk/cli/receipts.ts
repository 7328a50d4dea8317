import { readFile } from 'node:fs/promises'
import type { InclusionProof, ProvenUsage, SentRecord, UsageReceiptOf } from '../typescript/answers.ts'
import { AtomError } from '../typescript/atom-error.ts'
import { verifyInclusion } from '../typescript/verify-inclusion.ts'
import { type Command, EXIT, show, text, UsageError, type Values } from './command.ts'

export const receiptCommands: Command[] = [
  {
    name: 'receipt verify',
    usage: 'PROOF [--record FILE] [--receipt FILE] [--invoice FILE]',
    summary: 'check offline that a record is in what an invoice billed, or under the root of its report',
    options: { record: { type: 'string' }, receipt: { type: 'string' }, invoice: { type: 'string' } },
    positionals: 1,
    async run(context, values, [file]) {
      const proof = await json<InclusionProof>(file ?? '')
      const given = {
        record: await fileOf<SentRecord>(values, 'record'),
        receipt: receiptIn(await fileOf<Answered>(values, 'receipt')),
        invoice: await bytesOf(values, 'invoice'),
      }
      try {
        const proven = verifyInclusion(proof, given)
        await show(context, proven, () => `${sentence(proven)}\n`)
        return EXIT.ok
      } catch (error) {
        if (!(error instanceof AtomError)) throw error
        context.say(error.detail)
        return error.code === 'proof_invalid' ? EXIT.refused : EXIT.usage
      }
    },
  },
]

type Answered = UsageReceiptOf & { receipt?: { root: string; count: number } }

/** From the answer to a report, or from that of GET /usage/receipts/{id}. */
const receiptIn = (answer: Answered | undefined): UsageReceiptOf | undefined =>
  answer && { report_id: answer.report_id, root: answer.root, count: answer.count, ...answer.receipt }

function sentence(proven: ProvenUsage): string {
  if (proven.by === 'report') return `the record is under the root ${proven.root} of report ${proven.report_id}`
  const { number, description, amount, hour, quantity, report_id, sha256 } = proven
  return `the record is in invoice ${number}, line "${description}" of ${amount}:
report ${report_id} added ${quantity} in the hour of ${hour}
the invoice has sha256 ${sha256}`
}

async function bytesOf(values: Values, name: string): Promise<Buffer | undefined> {
  const file = text(values, name)
  return file === undefined ? undefined : read(file)
}

async function fileOf<T>(values: Values, name: string): Promise<T | undefined> {
  const file = text(values, name)
  return file === undefined ? undefined : json<T>(file)
}

async function json<T>(file: string): Promise<T> {
  const bytes = await read(file)
  try {
    return JSON.parse(bytes.toString('utf8')) as T
  } catch {
    throw new UsageError(`${file} is not JSON`)
  }
}

const read = (file: string): Promise<Buffer> =>
  readFile(file).catch((error: Error) => {
    throw new UsageError(`cannot read ${file}: ${error.message}`)
  })
