import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, ExternalLink, Repeat2 } from "lucide-react";
import { useEffect, useState } from "react";
import { api, type Outputs } from "../api";
import { Answer, Badge, Button, PageHead, Segmented, Time } from "../components/basics";
import { nameText } from "../format";
import { useServer } from "../session";
import { statusTone, tierTone } from "./Users";
import { Activity } from "./user/Activity";
import { CreditsView } from "./user/Credits";
import { LimitsView } from "./user/LimitsView";
import { Overrides } from "./user/Overrides";
import { TierDialog } from "./user/TierDialog";

const route = getRouteApi("/admin/users/$userId");

export type UserData = Outputs["users"]["get"];

/** Another user is another page: nothing of one is shown while the other loads. */
export function UserPage() {
	const { userId } = route.useParams();
	return <OneUser key={userId} userId={userId} />;
}

function OneUser({ userId }: { userId: string }) {
	const { view } = route.useSearch();
	const navigate = useNavigate();
	const { can } = useServer();
	const user = useQuery(api.users.get.queryOptions({ userId }, { refetchInterval: 10_000 }));
	const [changingTier, setChangingTier] = useState(false);
	useEffect(() => {
		document.title = `${userId} · Usage limits`;
	}, [userId]);
	const views = [
		{ value: "limits", label: "Limits" },
		{ value: "activity", label: "Activity" },
		{ value: "overrides", label: "Overrides" },
		...(can.credits ? [{ value: "credits", label: "Credits" } as const] : []),
	] as const;
	const { data } = user;
	return (
		<>
			<Link to="/users" search={{ search: "" }} className="back">
				<ArrowLeft aria-hidden /> Users
			</Link>
			<PageHead
				title={<span className="breakable">{userId}</span>}
				note={data && <About user={data} />}
				actions={
					<>
						<Link to="/me" search={{ as: userId }} className="button button-plain">
							<ExternalLink aria-hidden />
							What the user sees
						</Link>
						{can.setTier && data && (
							<Button icon={Repeat2} onClick={() => setChangingTier(true)}>
								Change tier
							</Button>
						)}
					</>
				}
			/>
			<div className="views">
				<Segmented
					label="View"
					value={view}
					options={views}
					onChange={(value) =>
						void navigate({ to: "/users/$userId", params: { userId }, search: { view: value } })
					}
				/>
			</div>
			<Answer of={user}>
				{(loaded) =>
					view === "limits" ? (
						<LimitsView user={loaded} onReset={() => void user.refetch()} />
					) : view === "activity" ? (
						<Activity userId={userId} />
					) : view === "overrides" ? (
						<Overrides user={loaded} />
					) : (
						<CreditsView userId={userId} />
					)
				}
			</Answer>
			{changingTier && data && <TierDialog user={data} onClose={() => setChangingTier(false)} />}
		</>
	);
}

/** The tier that counts, and the subscription behind it. */
function About({ user }: { user: UserData }) {
	const { subscription } = user;
	return (
		<span className="row wrap">
			<Badge tone={tierTone(user.tier)}>{nameText(user.tier)}</Badge>
			{subscription ? (
				<>
					{subscription.status && (
						<Badge tone={statusTone(subscription.status)}>{nameText(subscription.status)}</Badge>
					)}
					{subscription.tier !== user.tier && (
						<span>subscribed to {nameText(subscription.tier)}, which does not count now</span>
					)}
					{subscription.startedAt && (
						<span>
							since <Time at={subscription.startedAt} />
						</span>
					)}
					{subscription.expiresAt && !subscription.expiresAt.endsWith("infinity") && (
						<span>
							until <Time at={subscription.expiresAt} />
						</span>
					)}
					{subscription.timeZone && <span>{subscription.timeZone}</span>}
				</>
			) : (
				<span>no subscription</span>
			)}
			{user.accountId && (
				<span>
					member of{" "}
					<Link to="/users/$userId" params={{ userId: user.accountId }} search={{ view: "limits" }}>
						{user.accountId}
					</Link>
				</span>
			)}
		</span>
	);
}
