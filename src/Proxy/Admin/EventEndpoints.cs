using Proxy.Backends;
using Proxy.Events;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/events</c>: the events as a stream of server-sent events.</summary>
internal static class EventEndpoints
{
    /// <summary>Maps <c>/events</c>.</summary>
    public static void MapEvents(this IEndpointRouteBuilder app) => app.MapGet("/events", ListenAsync);

    private static async Task ListenAsync(HttpContext context, EventStreams streams)
    {
        if (!EventFilter.TryRead(context.Request.Query, out var filter, out var problem))
        {
            await problem.ExecuteAsync(context);
            return;
        }
        filter = filter with { Sees = context.GetAccess().Sees };
        if (Refuse(await streams.WriteAsync(context, filter)) is { } refusal) await refusal.ExecuteAsync(context);
    }

    private static IResult? Refuse(ListenOutcome outcome) => outcome switch
    {
        ListenOutcome.Full => Problems.AtCapacity($"At most {EventStreams.MaxStreams} listeners at once."),
        ListenOutcome.FullForAddress => Problems.TooMany($"At most {EventStreams.MaxStreamsPerAddress} listeners at once per address."),
        _ => null,
    };
}
