using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>What a client is told of backends that failed.</summary>
internal static class FailureProblems
{
    /// <summary>Others answered: names who did not. Such an answer is nobody's to keep.</summary>
    public static void WarnOf(this HttpResponse response, IReadOnlyCollection<BackendFailure> failures)
    {
        if (failures.Count == 0) return;
        foreach (var failure in failures) response.AddWarning($"{failure.Backend} did not answer: {failure.Error}, {failure.Detail}");
        response.Headers[AnswerHeaders.FailedBackends] = string.Join(", ", failures.Select(f => f.Backend).Distinct());
        response.Headers.CacheControl = "no-store";
    }

    /// <summary>Nobody answered: a bad answer weighs more than a late one, that more than none.</summary>
    public static IResult ToProblem(this IReadOnlyCollection<BackendFailure> failures)
    {
        var detail = string.Join("; ", failures.Select(f => $"{f.Backend}: {f.Error}, {f.Detail}"));
        if (failures.Any(f => f.Error is BackendError.BadAnswer or BackendError.BadStatus or BackendError.Refused)) return Problems.BadGateway(detail);
        return failures.Any(f => f.Error == BackendError.TimedOut) ? Problems.TooLate(detail) : Problems.Unavailable(detail);
    }
}
