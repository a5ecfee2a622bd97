import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "../../api";
import { Field, Switch } from "../../components/basics";
import { Dialog, DialogForm } from "../../components/Dialog";
import { TextField } from "../../components/fields";
import { say } from "../../components/toasts";
import { limitText, nameText } from "../../format";
import { type Limit, limitAbout, type Tier, tiers } from "../Limits";
import { Preview } from "./Preview";
import { fieldValue, fieldValues, type TierFields, toField } from "./values";

type Enforcement = Limit["enforcement"];

const modes: { value: Enforcement; label: string; hint: string }[] = [
	{ value: "hard", label: "Enforced", hint: "What goes beyond is denied." },
	{ value: "soft", label: "Soft", hint: "What goes beyond is allowed and reported as over the limit." },
	{ value: "shadow", label: "Shadow", hint: "Allowed; the answer says that it would have been denied." },
];

/** After a form was asked for: to the first field that is wrong. */
function focusWrong(form: HTMLFormElement): void {
	setTimeout(() => form.querySelector<HTMLElement>("[aria-invalid]")?.focus());
}

function TierInputs({
	fields,
	errors,
	was,
	onChange,
}: {
	fields: TierFields;
	errors: Partial<Record<Tier, string>>;
	was?: Record<Tier, number>;
	onChange: (fields: TierFields) => void;
}) {
	return (
		<fieldset className="tier-fields">
			<legend>Value for each tier</legend>
			{tiers.map((tier) => {
				const field = fields[tier];
				const read = fieldValue(field);
				const changed = was && "value" in read && read.value !== was[tier];
				return (
					<div key={tier} className="tier-field">
						<Field
							label={nameText(tier)}
							error={errors[tier]}
							hint={changed ? `was ${limitText(was[tier]).toLowerCase()}` : undefined}
						>
							{(ids) => (
								<input
									{...ids}
									inputMode="numeric"
									autoComplete="off"
									disabled={field.unlimited}
									placeholder={field.unlimited ? "∞" : undefined}
									value={field.text}
									onChange={(event) =>
										onChange({ ...fields, [tier]: { ...field, text: event.target.value } })
									}
								/>
							)}
						</Field>
						<label className="check">
							<input
								type="checkbox"
								checked={field.unlimited}
								onChange={(event) =>
									onChange({ ...fields, [tier]: { ...field, unlimited: event.target.checked } })
								}
							/>
							Unlimited<span className="sr-only"> for {nameText(tier)}</span>
						</label>
					</div>
				);
			})}
		</fieldset>
	);
}

function ModeInputs({ value, onChange }: { value: Enforcement; onChange: (value: Enforcement) => void }) {
	const name = useId();
	return (
		<fieldset className="modes">
			<legend>Mode</legend>
			{modes.map((mode) => (
				<label key={mode.value} className="mode">
					<input
						type="radio"
						name={name}
						checked={mode.value === value}
						onChange={() => onChange(mode.value)}
					/>
					<span>
						<strong>{mode.label}</strong>
						<span className="soft">{mode.hint}</span>
					</span>
				</label>
			))}
		</fieldset>
	);
}

/** Says what was done, and what the database warned of. */
function report(text: string, warnings: string[]): void {
	say(text);
	for (const warning of warnings) say(warning, "warn");
}

export function EditLimit({ limit, onClose }: { limit: Limit; onClose: () => void }) {
	const cache = useQueryClient();
	// as it was when the dialog opened: the list behind it may load anew
	const [was] = useState(limit);
	const [fields, setFields] = useState<TierFields>(
		() => Object.fromEntries(tiers.map((tier) => [tier, toField(was.values[tier])])) as TierFields,
	);
	const [enforcement, setEnforcement] = useState(was.enforcement);
	const [isActive, setActive] = useState(was.isActive);
	const [description, setDescription] = useState(was.description ?? "");
	const [asked, setAsked] = useState(false);
	const { values, errors } = fieldValues(fields);
	const update = useMutation(
		api.limits.update.mutationOptions({
			onSuccess: async ({ warnings }) => {
				await cache.invalidateQueries();
				report(`${was.limitType} is changed.`, warnings);
				onClose();
			},
		}),
	);
	const submit = (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		setAsked(true);
		focusWrong(event.currentTarget);
		if (values)
			update.mutate({
				limitType: was.limitType,
				version: was.version,
				values,
				enforcement,
				isActive,
				description: description.trim(),
			});
	};
	return (
		<Dialog
			title={was.description ?? nameText(was.limitType)}
			note={
				<>
					<code>{was.limitType}</code> · {limitAbout(was)}
				</>
			}
			wide
			onClose={onClose}
		>
			<DialogForm action="Save" answer={update} onSubmit={submit} onClose={onClose}>
				<TierInputs fields={fields} errors={asked ? errors : {}} was={was.values} onChange={setFields} />
				<ModeInputs value={enforcement} onChange={setEnforcement} />
				<TextField
					label="Description"
					hint="For people: the title that a denial shows."
					value={description}
					onChange={setDescription}
				/>
				<Switch
					label="Active: an inactive limit is as if it were not there"
					checked={isActive}
					onChange={setActive}
				/>
				<Preview limit={was} fields={fields} />
			</DialogForm>
		</Dialog>
	);
}

export function NewLimit({ onClose }: { onClose: () => void }) {
	const cache = useQueryClient();
	const [limitType, setLimitType] = useState("");
	const [usageType, setUsageType] = useState("");
	const [fields, setFields] = useState<TierFields>({
		free: toField(0),
		pro: toField(-1),
		team: toField(-1),
		enterprise: toField(-1),
	});
	const [enforcement, setEnforcement] = useState<Enforcement>("hard");
	const [description, setDescription] = useState("");
	const [asked, setAsked] = useState(false);
	const { values, errors } = fieldValues(fields);
	const nameError = /^\S{1,50}$/.test(limitType) ? undefined : "A name of 1 to 50 characters without spaces.";
	const create = useMutation(
		api.limits.create.mutationOptions({
			onSuccess: async ({ limit, warnings }) => {
				await cache.invalidateQueries();
				report(`${limit.limitType} limits ${limit.usageType} from now on.`, warnings);
				onClose();
			},
		}),
	);
	const submit = (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		setAsked(true);
		focusWrong(event.currentTarget);
		if (values && !nameError)
			create.mutate({
				limitType,
				usageType: usageType.trim() || undefined,
				values,
				enforcement,
				description: description.trim(),
			});
	};
	return (
		<Dialog title="New limit" note="What you leave open comes from the name." wide onClose={onClose}>
			<DialogForm action="Create" answer={create} onSubmit={submit} onClose={onClose}>
				<div className="two">
					<Field
						label="Name"
						error={asked ? nameError : undefined}
						hint={
							<>
								The end gives the period: <code>exports_daily</code>, <code>api_calls_hourly</code>,{" "}
								<code>seats_total</code>.
							</>
						}
					>
						{(ids) => (
							<input
								{...ids}
								autoComplete="off"
								spellCheck={false}
								value={limitType}
								onChange={(event) => setLimitType(event.target.value.trim())}
							/>
						)}
					</Field>
					<Field
						label="Usage type"
						hint={
							<>
								Left open: the name without its period, <code>export</code> for <code>exports_daily</code>.
							</>
						}
					>
						{(ids) => (
							<input
								{...ids}
								autoComplete="off"
								spellCheck={false}
								maxLength={50}
								value={usageType}
								onChange={(event) => setUsageType(event.target.value)}
							/>
						)}
					</Field>
				</div>
				<TierInputs fields={fields} errors={asked ? errors : {}} onChange={setFields} />
				<ModeInputs value={enforcement} onChange={setEnforcement} />
				<TextField
					label="Description"
					hint="For people: the title that a denial shows."
					value={description}
					onChange={setDescription}
				/>
			</DialogForm>
		</Dialog>
	);
}
