/** Fields that several forms have. */
import { Field } from "./basics";

/** A sentence or two. */
export function TextField(props: {
	label: string;
	hint?: string;
	value: string;
	onChange: (value: string) => void;
}) {
	return (
		<Field label={props.label} hint={props.hint}>
			{(ids) => (
				<input
					{...ids}
					maxLength={500}
					value={props.value}
					onChange={(event) => props.onChange(event.target.value)}
				/>
			)}
		</Field>
	);
}

/** When something ends; what it means to leave it open. */
export function UntilField(props: { open: string; value: string; onChange: (value: string) => void }) {
	return (
		<Field label="Until" hint={`In your time zone. Left open: ${props.open}.`}>
			{(ids) => (
				<input
					{...ids}
					type="datetime-local"
					value={props.value}
					onChange={(event) => props.onChange(event.target.value)}
				/>
			)}
		</Field>
	);
}
