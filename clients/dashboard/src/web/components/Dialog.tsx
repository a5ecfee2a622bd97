/** The browser's own dialog: it keeps the focus inside and gives it back. */
import { X } from "lucide-react";
import { type FormEvent, type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { Button, classes, ErrorNote } from "./basics";

export function Dialog(props: {
	title: string;
	note?: ReactNode;
	wide?: boolean;
	onClose: () => void;
	children: ReactNode;
}) {
	const ref = useRef<HTMLDialogElement>(null);
	const id = useId();
	// closed before it goes away, or the focus would not go back
	useLayoutEffect(() => {
		const dialog = ref.current;
		if (dialog && !dialog.open) dialog.showModal();
		return () => dialog?.close();
	}, []);
	return (
		<dialog
			ref={ref}
			className={classes("dialog", props.wide && "dialog-wide")}
			aria-labelledby={id}
			onCancel={(event) => {
				event.preventDefault();
				props.onClose();
			}}
			onMouseDown={(event) => event.target === ref.current && props.onClose()}
		>
			<div className="dialog-inside">
				<header className="dialog-head">
					<div>
						<h2 id={id}>{props.title}</h2>
						{props.note && <p className="soft">{props.note}</p>}
					</div>
					<Button look="quiet" icon={X} aria-label="Close" onClick={props.onClose} />
				</header>
				{props.children}
			</div>
		</dialog>
	);
}

/** A dialog's form: its fields, what went wrong, and the buttons. */
export function DialogForm(props: {
	action: string;
	answer: { error: unknown; isPending: boolean };
	onSubmit: (event: FormEvent<HTMLFormElement>) => void;
	onClose: () => void;
	children: ReactNode;
}) {
	const { error, isPending } = props.answer;
	return (
		<form noValidate onSubmit={props.onSubmit}>
			<div className="dialog-body">
				{props.children}
				{error ? <ErrorNote error={error} /> : null}
			</div>
			<footer className="dialog-foot">
				<Button onClick={props.onClose}>Cancel</Button>
				<Button type="submit" look="primary" busy={isPending}>
					{props.action}
				</Button>
			</footer>
		</form>
	);
}
