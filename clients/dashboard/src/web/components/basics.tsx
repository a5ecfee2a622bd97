/** The small parts that every page is made of. */
import { LoaderCircle, type LucideIcon, TriangleAlert } from "lucide-react";
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { useId } from "react";
import { errorText } from "../api";
import { useNow } from "../clock";
import { spanText, timeInFull, timeText } from "../format";

export const classes = (...names: (string | false | null | undefined)[]): string =>
	names.filter(Boolean).join(" ");

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
	look?: "primary" | "plain" | "quiet" | "danger";
	small?: boolean;
	busy?: boolean;
	icon?: LucideIcon;
}

export function Button({
	look = "plain",
	small,
	busy,
	icon: Icon,
	children,
	className,
	disabled,
	...rest
}: ButtonProps) {
	return (
		<button
			type="button"
			className={classes(
				"button",
				`button-${look}`,
				small && "button-small",
				!children && "button-icon",
				className,
			)}
			disabled={disabled || busy}
			{...rest}
		>
			{busy ? <LoaderCircle className="spin" aria-hidden /> : Icon && <Icon aria-hidden />}
			{children}
		</button>
	);
}

export type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
	return <span className={`badge badge-${tone}`}>{children}</span>;
}

export function Card(props: {
	title?: ReactNode;
	note?: ReactNode;
	actions?: ReactNode;
	flush?: boolean;
	className?: string;
	children: ReactNode;
}) {
	const id = useId();
	const { title, note, actions, flush, className, children } = props;
	return (
		<section className={classes("card", className)} aria-labelledby={title ? id : undefined}>
			{title && (
				<header className="card-head">
					<div>
						<h2 id={id}>{title}</h2>
						{note && <p className="soft">{note}</p>}
					</div>
					{actions && <div className="row">{actions}</div>}
				</header>
			)}
			<div className={classes("card-body", flush && "flush")}>{children}</div>
		</section>
	);
}

export function PageHead({
	title,
	note,
	actions,
}: {
	title: ReactNode;
	note?: ReactNode;
	actions?: ReactNode;
}) {
	return (
		<header className="page-head">
			<div>
				<h1>{title}</h1>
				{note && <div className="page-note">{note}</div>}
			</div>
			{actions && <div className="row wrap">{actions}</div>}
		</header>
	);
}

export function Empty({
	icon: Icon,
	title,
	children,
}: {
	icon: LucideIcon;
	title: string;
	children?: ReactNode;
}) {
	return (
		<div className="empty">
			<span className="empty-icon">
				<Icon aria-hidden />
			</span>
			<p className="empty-title">{title}</p>
			{children && <div className="soft">{children}</div>}
		</div>
	);
}

export function ErrorNote({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
	return (
		<div className="note note-bad" role="alert">
			<TriangleAlert aria-hidden />
			<p>{errorText(error)}</p>
			{retry && (
				<Button small onClick={retry}>
					Try again
				</Button>
			)}
		</div>
	);
}

export function Note({
	tone = "neutral",
	icon: Icon,
	children,
}: {
	tone?: Tone;
	icon?: LucideIcon;
	children: ReactNode;
}) {
	return (
		<div className={`note note-${tone}`}>
			{Icon && <Icon aria-hidden />}
			<div>{children}</div>
		</div>
	);
}

const skeletonWidths = ["94%", "65%", "78%", "52%", "86%", "71%"];

/** Stands where something will be, in about its size. */
export function Skeleton({ lines = 4, height }: { lines?: number; height?: number }) {
	return (
		<div className="skeleton" role="status" aria-label="Loading">
			{height ? (
				<span className="skeleton-box" style={{ height }} />
			) : (
				skeletonWidths
					.slice(0, lines)
					.map((width) => <span key={width} className="skeleton-line" style={{ width }} />)
			)}
		</div>
	);
}

interface Asked<T> {
	data: T | undefined;
	error: unknown;
	isPending: boolean;
	refetch: () => unknown;
}

/** A question's answer, or what is to be seen instead: it is coming, or it went wrong. */
export function Answer<T>({
	of,
	loading,
	children,
}: {
	of: Asked<T>;
	loading?: ReactNode;
	children: (data: T) => ReactNode;
}) {
	const retry = () => void of.refetch();
	if (of.data !== undefined && of.error)
		return (
			<>
				<ErrorNote error={of.error} retry={retry} />
				{children(of.data)}
			</>
		);
	if (of.error) return <ErrorNote error={of.error} retry={retry} />;
	if (of.data === undefined) return <>{loading ?? <Skeleton />}</>;
	return <>{children(of.data)}</>;
}

export function Segmented<T extends string | number>(props: {
	label: string;
	value: T;
	options: readonly { value: T; label: string; hint?: string }[];
	onChange: (value: T) => void;
}) {
	const name = useId();
	return (
		<fieldset className="segmented">
			<legend className="sr-only">{props.label}</legend>
			{props.options.map((option) => (
				<label key={option.value} title={option.hint}>
					<input
						type="radio"
						name={name}
						checked={option.value === props.value}
						onChange={() => props.onChange(option.value)}
					/>
					<span>{option.label}</span>
				</label>
			))}
		</fieldset>
	);
}

export function Switch({
	label,
	checked,
	onChange,
	disabled,
}: {
	label: ReactNode;
	checked: boolean;
	onChange: (checked: boolean) => void;
	disabled?: boolean;
}) {
	return (
		<label className="switch">
			<input
				type="checkbox"
				role="switch"
				aria-checked={checked}
				checked={checked}
				disabled={disabled}
				onChange={(event) => onChange(event.target.checked)}
			/>
			<span className="switch-track" aria-hidden />
			<span>{label}</span>
		</label>
	);
}

export function Field(props: {
	label: string;
	hint?: ReactNode;
	error?: string | undefined;
	children: (ids: {
		id: string;
		"aria-describedby": string | undefined;
		"aria-invalid": boolean | undefined;
	}) => ReactNode;
}) {
	const id = useId();
	const { label, hint, error, children } = props;
	const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
	return (
		<div className="field">
			<label htmlFor={id}>{label}</label>
			{children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
			{hint && (
				<p className="field-hint" id={`${id}-hint`}>
					{hint}
				</p>
			)}
			{error && (
				<p className="field-error" id={`${id}-error`}>
					{error}
				</p>
			)}
		</div>
	);
}

/** An instant, with the whole of it for whoever points at it. */
export function Time({ at }: { at: string }) {
	if (at.endsWith("infinity")) return <span>never</span>;
	return (
		<time dateTime={at} title={timeInFull(at)}>
			{timeText(at)}
		</time>
	);
}

/** How long ago, or until when. */
export function Ago({ at }: { at: string }) {
	const now = useNow(15_000);
	if (at.endsWith("infinity")) return <span>never</span>;
	const passed = now - new Date(at).getTime();
	const text =
		Math.abs(passed) < 5_000
			? "now"
			: passed > 0
				? `${spanText(passed).split(" ").slice(0, 2).join(" ")} ago`
				: `in ${spanText(-passed)}`;
	return (
		<time dateTime={at} title={timeInFull(at)}>
			{text}
		</time>
	);
}
