import PDFDocument from 'pdfkit'
import type { invoiceBody } from './invoice.ts'
import { quarantinedText } from './quarantine/quarantined-text.ts'

type Invoice = ReturnType<typeof invoiceBody>
type Page = InstanceType<typeof PDFDocument>

const MARGIN = 50
/** A4 in points. */
const WIDTH = 595.28
const BOTTOM = 841.89 - MARGIN - 30
const COLUMNS = { description: 250, quantity: 80, price: 80, amount: WIDTH - 2 * MARGIN - 410 }
const LINE = 15

/**
 * An invoice as PDF, made when it is asked for: the same invoice gives the same bytes, since the only time in it is its
 * own. Amounts are the JSON's texts.
 */
export function invoicePdf(
  invoice: Invoice,
  title = invoice.number ? `Invoice ${invoice.number}` : `Running invoice, ${invoice.period}`,
): Promise<Buffer> {
  const info = { Title: title, Author: 'ATOM Cloud Marketplace', CreationDate: new Date(invoice.as_of) }
  const page: Page = new PDFDocument({ size: 'A4', margin: MARGIN, info, bufferPages: true })
  const chunks: Buffer[] = []
  page.on('data', (chunk: Buffer) => chunks.push(chunk))
  const done = new Promise<Buffer>((resolve, reject) => {
    page.on('end', () => resolve(Buffer.concat(chunks)))
    page.on('error', reject)
  })
  heading(page, title, invoice)
  lines(page, invoice)
  totals(page, invoice)
  notBilled(page, invoice)
  numberPages(page, title)
  page.end()
  return done
}

function heading(page: Page, title: string, invoice: Invoice): void {
  page.font('Helvetica-Bold').fontSize(18).text(printable(title), MARGIN, MARGIN)
  page.moveDown(0.5).font('Helvetica').fontSize(10)
  const facts = [
    `Tenant: ${invoice.tenant}`,
    `Period: ${invoice.period} (UTC)`,
    `Status: ${invoice.status}, as of ${invoice.as_of}`,
    `Currency: ${invoice.currency}`,
    `Id: ${invoice.id}`,
  ]
  for (const fact of facts) page.text(printable(fact))
  page.moveDown()
}

function lines(page: Page, invoice: Invoice): void {
  tableHead(page)
  for (const { description, quantity = '', unit_price = '', amount } of invoice.lines) {
    const text = printable(description)
    const height = Math.max(LINE, page.heightOfString(text, { width: COLUMNS.description - 8 }) + 4)
    if (page.y + height > BOTTOM) {
      page.addPage()
      tableHead(page)
    }
    row(page, [text, quantity, unit_price, amount], height)
  }
  rule(page)
}

function tableHead(page: Page): void {
  page.font('Helvetica-Bold').fontSize(9)
  row(page, ['Description', 'Quantity', 'Unit price', 'Amount'], LINE)
  rule(page)
  page.font('Helvetica').fontSize(9)
}

function totals(page: Page, invoice: Invoice): void {
  const taxes = invoice.taxes.map(({ name, percent, base, amount }): [string, string] => [
    `${name} ${percent} % of ${base}`,
    amount,
  ])
  const sums: [string, string][] = [['Subtotal', invoice.subtotal], ...taxes, ['Total', invoice.total]]
  sums.push(['Credits applied', invoice.credits_applied], ['Amount due', invoice.amount_due])
  if (page.y + sums.length * LINE > BOTTOM) page.addPage()
  for (const [name, amount] of sums) {
    page.font(name === 'Total' || name === 'Amount due' ? 'Helvetica-Bold' : 'Helvetica').fontSize(10)
    row(page, [printable(name), '', '', `${amount} ${invoice.currency}`], LINE)
  }
}

/** Usage that was counted and left out because of its version. Invoices from before there were quarantines have none. */
function notBilled(page: Page, { quarantined = [] }: Invoice): void {
  if (quarantined.length === 0) return
  if (page.y + 3 * LINE > BOTTOM) page.addPage()
  page.moveDown().font('Helvetica-Bold').fontSize(9)
  row(page, ['Not billed', 'Quantity', '', ''], LINE)
  rule(page)
  page.font('Helvetica').fontSize(9)
  for (const one of quarantined) {
    const text = printable(quarantinedText(one))
    const height = Math.max(LINE, page.heightOfString(text, { width: COLUMNS.description - 8 }) + 4)
    if (page.y + height > BOTTOM) page.addPage()
    row(page, [text, one.quantity, '', ''], height)
  }
}

/** Numbers stand to the right, so that their decimals are below each other. */
function row(
  page: Page,
  [description, quantity, price, amount]: [string, string, string, string],
  height: number,
): void {
  const { y } = page
  page.text(description, MARGIN, y, { width: COLUMNS.description - 8 })
  let x = MARGIN + COLUMNS.description
  for (const [text, width] of [
    [quantity, COLUMNS.quantity],
    [price, COLUMNS.price],
    [amount, COLUMNS.amount],
  ] as const) {
    page.text(text, x, y, { width, align: 'right' })
    x += width
  }
  page.x = MARGIN
  page.y = y + height
}

function rule(page: Page): void {
  page
    .moveTo(MARGIN, page.y)
    .lineTo(WIDTH - MARGIN, page.y)
    .lineWidth(0.5)
    .stroke()
  page.y += 5
}

function numberPages(page: Page, title: string): void {
  const { start, count } = page.bufferedPageRange()
  for (let index = start; index < start + count; index += 1) {
    page.switchToPage(index)
    // Below the margin, where text would otherwise begin a new page.
    page.page.margins.bottom = 0
    page.font('Helvetica').fontSize(8)
    page.text(`${printable(title)} · page ${index + 1} of ${count}`, MARGIN, BOTTOM + 30, {
      align: 'center',
      lineBreak: false,
      width: WIDTH - 2 * MARGIN,
    })
  }
}

/** The built-in fonts know Latin-1 only; what they cannot show becomes a question mark instead of noise. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e\xa0-\xff]/gu, '?')
