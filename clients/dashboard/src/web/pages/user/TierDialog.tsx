import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../../api";
import { Field } from "../../components/basics";
import { Dialog, DialogForm } from "../../components/Dialog";
import { UntilField } from "../../components/fields";
import { say } from "../../components/toasts";
import { nameText } from "../../format";
import { tiers } from "../Limits";
import type { UserData } from "../User";

const statuses = ["active", "trialing", "past_due", "canceled", "unpaid"];

/** An instant as the field datetime-local has it, in the reader's time zone. */
function toLocal(instant: string | null | undefined): string {
	if (!instant || instant.endsWith("infinity")) return "";
	const at = new Date(instant);
	return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function TierDialog({ user, onClose }: { user: UserData; onClose: () => void }) {
	const cache = useQueryClient();
	const { subscription } = user;
	const [tier, setTier] = useState(subscription?.tier ?? user.tier);
	const [status, setStatus] = useState(subscription?.status ?? "active");
	const [until, setUntil] = useState(toLocal(subscription?.expiresAt));
	const set = useMutation(
		api.users.setTier.mutationOptions({
			onSuccess: async () => {
				await cache.invalidateQueries();
				say(`The tier is ${nameText(tier)} now.`);
				onClose();
			},
		}),
	);
	const submit = (event: FormEvent) => {
		event.preventDefault();
		set.mutate({
			userId: user.userId,
			tier,
			status,
			expiresAt: until ? new Date(until).toISOString() : null,
		});
	};
	const known = [...new Set([...tiers, user.tier, tier])];
	return (
		<Dialog title="Change tier" note={<span className="breakable">of {user.userId}</span>} onClose={onClose}>
			<DialogForm action="Change" answer={set} onSubmit={submit} onClose={onClose}>
				<Field label="Tier" hint="What was used stays used.">
					{(ids) => (
						<select {...ids} value={tier} onChange={(event) => setTier(event.target.value)}>
							{known.map((each) => (
								<option key={each} value={each}>
									{nameText(each)}
								</option>
							))}
						</select>
					)}
				</Field>
				<Field label="Status" hint="The tier counts while it is active or trialing.">
					{(ids) => (
						<select {...ids} value={status} onChange={(event) => setStatus(event.target.value)}>
							{[...new Set([...statuses, status])].map((each) => (
								<option key={each} value={each}>
									{nameText(each)}
								</option>
							))}
						</select>
					)}
				</Field>
				<UntilField open="for good" value={until} onChange={setUntil} />
			</DialogForm>
		</Dialog>
	);
}
