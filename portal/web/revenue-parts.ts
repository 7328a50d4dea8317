import type { RevenueMonth } from './answers.ts'

/** What a month's gross is made of, in the order it is stacked, named and tabled. */
export const revenueParts = [
  { key: 'partner_share', name: 'Partner share' },
  { key: 'platform_fee', name: 'Platform fee' },
  { key: 'tax', name: 'Tax' },
] as const satisfies readonly { key: keyof RevenueMonth; name: string }[]

export type RevenuePartKey = (typeof revenueParts)[number]['key']
