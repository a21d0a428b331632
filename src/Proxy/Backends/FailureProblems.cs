using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>What a client is told when no backend could answer: a bad answer weighs more than a late one, that more than none.</summary>
public static class FailureProblems
{
    public static IResult ToProblem(this IReadOnlyCollection<BackendFailure> failures)
    {
        var detail = string.Join("; ", failures.Select(f => $"{f.Backend}: {f.Error}, {f.Detail}"));
        if (failures.Any(f => f.Error is BackendError.BadAnswer or BackendError.BadStatus or BackendError.Refused)) return Problems.BadGateway(detail);
        return failures.Any(f => f.Error == BackendError.TimedOut) ? Problems.TooLate(detail) : Problems.Unavailable(detail);
    }
}
