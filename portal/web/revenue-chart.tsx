import { useId, useMemo } from 'react'
import type { RevenueMonth } from './answers.ts'
import { type Column, revenueLayout } from './revenue-layout.ts'
import { revenueParts } from './revenue-parts.ts'
import { type FillOf, RevenuePatterns, useRevenueFill } from './revenue-patterns.tsx'
import { ScrollBox } from './scroll-box.tsx'

type Props = { months: readonly RevenueMonth[]; summary: string }

/** Stacked columns by month. `summary` is its name for screen readers; the table has every figure. */
export const RevenueChart = ({ months, summary }: Props) => (
  <div className="chart">
    <RevenueLegend />
    <ScrollBox label="Revenue chart">
      {(width) => width > 0 && <RevenueColumns months={months} summary={summary} width={width} />}
    </ScrollBox>
  </div>
)

const RevenueColumns = ({ months, summary, width }: Props & { width: number }) => {
  const fillOf = useRevenueFill()
  const titleId = useId()
  const layout = useMemo(() => revenueLayout(months, width), [months, width])
  const { left, ticks, columns, labelY, zeroY } = layout
  return (
    <svg role="img" aria-labelledby={titleId} width={layout.width} height={layout.height}>
      <title id={titleId}>{summary}</title>
      <RevenuePatterns fillOf={fillOf} />
      {ticks.map((tick) => (
        <g key={tick.text}>
          <line className="grid" x1={left} x2={layout.width} y1={tick.y} y2={tick.y} />
          <text className="tick" x={left - 8} y={tick.y + 4}>
            {tick.text}
          </text>
        </g>
      ))}
      {columns.map((column) => (
        <RevenueColumn key={column.month} column={column} fillOf={fillOf} labelY={labelY} />
      ))}
      <line className="zero" x1={left} x2={layout.width} y1={zeroY} y2={zeroY} />
    </svg>
  )
}

const RevenueColumn = ({ column, fillOf, labelY }: { column: Column; fillOf: FillOf; labelY: number }) => (
  <g data-month={column.month}>
    {column.segments.map((segment) => (
      <rect
        key={segment.part}
        data-part={segment.part}
        fill={fillOf(segment.part).url}
        x={column.x}
        y={segment.y}
        width={column.width}
        height={segment.height}
      >
        <title>{segment.title}</title>
      </rect>
    ))}
    {column.total !== null && (
      <text className="total" x={column.center} y={column.total.y}>
        {column.total.text}
      </text>
    )}
    <text x={column.center} y={labelY}>
      {column.label}
    </text>
    {column.year !== null && (
      <text x={column.center} y={labelY + 16}>
        {column.year}
      </text>
    )}
  </g>
)

const RevenueLegend = () => {
  const fillOf = useRevenueFill()
  return (
    <ul className="legend">
      {revenueParts.map((part) => (
        <li key={part.key}>
          <svg width="18" height="18" aria-hidden="true">
            <RevenuePatterns fillOf={fillOf} only={part.key} />
            <rect width="18" height="18" rx="3" fill={fillOf(part.key).url} />
          </svg>
          {part.name}
        </li>
      ))}
    </ul>
  )
}
