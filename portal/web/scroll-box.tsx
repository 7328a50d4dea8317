import { type ReactNode, useLayoutEffect, useRef, useState } from 'react'

type Props = { label: string; children: (width: number) => ReactNode }

/**
 * Holds what may be wider than a phone and scrolls it sideways, so that the page itself never does. `children` gets
 * the width in pixels there is, 0 before it is known.
 */
export const ScrollBox = ({ label, children }: Props) => {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [scrolls, setScrolls] = useState(false)
  // After each drawing: what is inside may have become wider with the new figures, not only the box narrower.
  useLayoutEffect(() => {
    if (box.current !== null) setScrolls(box.current.scrollWidth > box.current.clientWidth)
  })
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const measure = () => {
      setWidth(element.clientWidth)
      setScrolls(element.scrollWidth > element.clientWidth)
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  // Without focus, arrow keys could not reach what is beyond the edge; where nothing is, a tab stop would be in the way.
  const reachable = scrolls ? { tabIndex: 0, role: 'region', 'aria-label': `${label}, scrolls sideways` } : {}
  return (
    <div ref={box} className="scroll-box" {...reachable}>
      {children(width)}
    </div>
  )
}
