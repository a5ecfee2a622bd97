import { useQuery } from "@tanstack/react-query";
import { Clapperboard, FolderPlus, Sparkles, UserRound } from "lucide-react";
import { api } from "../../api";
import { Answer, Skeleton } from "../../components/basics";
import { count, percent } from "../../format";
import { type Days, type Live, rangeText } from "../Overview";

const stages = [
	{ key: "registered", label: "Registered", icon: UserRound },
	{ key: "createdProject", label: "Created a project", icon: FolderPlus },
	{ key: "generatedScene", label: "Generated a scene", icon: Sparkles },
	{ key: "exportedVideo", label: "Exported a video", icon: Clapperboard },
] as const;

/** How far users get: all there are, and who did what in the range. */
export function FunnelCards({ days, refetchInterval }: { days: Days } & Live) {
	const funnel = useQuery(api.overview.funnel.queryOptions({ days }, { refetchInterval }));
	return (
		<section aria-label={`Funnel, users of ${rangeText(days)}`}>
			<Answer
				of={funnel}
				loading={
					<div className="funnel">
						{stages.map(({ key }) => (
							<div key={key} className="card stat">
								<Skeleton height={74} />
							</div>
						))}
					</div>
				}
			>
				{(data) => (
					<ol className="funnel">
						{stages.map(({ key, label, icon: Icon }) => {
							const share = data.registered > 0 ? (data[key] / data.registered) * 100 : 0;
							return (
								<li key={key} className="card stat" data-stage={key}>
									<span className="stat-label">
										<Icon aria-hidden />
										{label}
									</span>
									<strong className="stat-value">{count(data[key])}</strong>
									<span className="stat-bar" aria-hidden>
										<span style={{ width: `${Math.min(100, share)}%` }} />
									</span>
									<span className="stat-note">
										{key === "registered"
											? "users in total"
											: `${percent(Math.round(share * 10) / 10)} of all users`}
									</span>
								</li>
							);
						})}
					</ol>
				)}
			</Answer>
		</section>
	);
}
