import { type ReactNode, useId } from 'react'
import { type RevenuePartKey, revenueParts } from './revenue-parts.ts'

export type FillOf = (part: RevenuePartKey) => { id: string; url: string }

/** Names of this drawing's fills. Each SVG needs its own: an id refers to the first in the whole document. */
export const useRevenueFill = (): FillOf => {
  const prefix = useId()
  return (part) => ({ id: `${prefix}-${part}`, url: `url(#${prefix}-${part})` })
}

// Colour alone must not tell the parts apart: plain, hatched, dotted.
const marks: Record<RevenuePartKey, ReactNode> = {
  partner_share: null,
  platform_fee: <path className="mark" d="M-2 2 2 -2M0 8 8 0M6 10 10 6" />,
  tax: <circle className="dot" cx="4" cy="4" r="1.6" />,
}

/** The fill of each part, or of one part alone. */
export const RevenuePatterns = ({ fillOf, only }: { fillOf: FillOf; only?: RevenuePartKey }) => (
  <defs>
    {revenueParts
      .filter((part) => only === undefined || part.key === only)
      .map((part) => (
        <pattern key={part.key} id={fillOf(part.key).id} width="8" height="8" patternUnits="userSpaceOnUse">
          <rect width="8" height="8" className={`fill-${part.key}`} />
          {marks[part.key]}
        </pattern>
      ))}
  </defs>
)
