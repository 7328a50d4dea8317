import { type FormEvent, useId, useRef, useState } from 'react'
import { cleanToken } from './access-token.ts'

type Props = { token: string; onToken: (token: string) => void }

/** Shows as whom the page asks and lets the reader paste another token. */
export const TokenControl = ({ token, onToken }: Props) => {
  const [open, setOpen] = useState(false)
  const [pasted, setPasted] = useState('')
  const [refused, setRefused] = useState(false)
  const formId = useId()
  const opener = useRef<HTMLButtonElement>(null)

  const close = () => {
    setOpen(false)
    setPasted('')
    setRefused(false)
    opener.current?.focus()
  }
  const use = (next: string) => {
    onToken(next)
    close()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const next = cleanToken(pasted)
    if (next === null) setRefused(true)
    else use(next)
  }

  return (
    <div className="token">
      <button
        ref={opener}
        type="button"
        aria-expanded={open}
        aria-controls={open ? formId : undefined}
        onClick={() => (open ? close() : setOpen(true))}
      >
        Access token: {token === '' ? 'none (demo visitor)' : `ends in ${token.slice(-4)}`}
      </button>
      {open && (
        <form id={formId} onSubmit={submit} onKeyDown={(event) => event.key === 'Escape' && close()}>
          <label htmlFor={`${formId}-input`}>Access token or API key</label>
          <input
            id={`${formId}-input`}
            type="password"
            autoComplete="off"
            spellCheck={false}
            // Opening the form is a request to type here.
            ref={(input) => input?.focus()}
            value={pasted}
            aria-invalid={refused}
            aria-describedby={`${formId}-hint`}
            onChange={(event) => {
              setPasted(event.target.value)
              setRefused(false)
            }}
          />
          <p id={`${formId}-hint`} className={refused ? 'hint refused' : 'hint'} role={refused ? 'alert' : undefined}>
            {refused
              ? 'A token has no spaces, line breaks or special letters. Paste it alone.'
              : 'Kept in this tab only, until it is closed. Sent to this portal only. Empty: the demo visitor.'}
          </p>
          <div className="form-foot">
            <button type="submit">Use token</button>
            {token !== '' && (
              <button type="button" onClick={() => use('')}>
                Forget token
              </button>
            )}
            <button type="button" onClick={close}>
              Cancel
            </button>
          </div>
        </form>
      )}
    </div>
  )
}
