using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>Reports failed backends to the client.</summary>
internal static class FailureProblems
{
    /// <summary>Names the failed backends of a partial result, which must not be cached.</summary>
    public static void AddWarnings(this HttpResponse response, IReadOnlyCollection<BackendFailure> failures)
    {
        if (failures.Count == 0) return;
        foreach (var failure in failures) response.AddWarning($"{failure.Backend} did not answer: {failure.Summary}");
        response.Headers[AnswerHeaders.FailedBackends] = string.Join(", ", failures.Select(f => f.Backend).Distinct());
        response.Headers.CacheControl = "no-store";
    }

    /// <summary>
    /// The problem when no backend gave a usable answer. If all report the same fault of the request, or all are overloaded, the
    /// client gets that status; otherwise a bad answer (502) outranks a late one (504), and that outranks no connection (503).
    /// </summary>
    public static IResult ToProblem(this IReadOnlyCollection<BackendFailure> failures)
    {
        var detail = string.Join("; ", failures.Select(f => $"{f.Backend}: {f.Summary}"));
        if (failures.All(f => f.Error == BackendError.NotGiven)) return Problems.NotFound(detail);
        if (failures.All(f => f.Error is BackendError.NotGiven or BackendError.NotInThisForm || IsStatus(f, ErrorStatus.NotAcceptable)))
            return Problems.NotAcceptable(detail);
        if (failures.All(f => f.Error is BackendError.Busy or BackendError.Overloaded))
            return Problems.Overloaded(detail, failures.Min(f => f.RetryAfter));
        if (failures.All(f => IsStatus(f, ErrorStatus.BadRequest))) return Problems.RefusedByAll(400, detail);
        if (failures.All(f => IsStatus(f, ErrorStatus.TooLarge))) return Problems.RefusedByAll(413, detail);
        if (failures.Any(f => f.Error is BackendError.BadAnswer or BackendError.BadStatus or BackendError.Refused))
            return Problems.BadGateway(detail);
        return failures.Any(f => f.Error == BackendError.TimedOut) ? Problems.TimedOut(detail) : Problems.Unavailable(detail);
    }

    /// <summary>
    /// The problem when every backend answered and none has the resource: 410 if one of them says that it was deleted, else 404
    /// (PS3.18 §8.5).
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="path">The path of the resource below a DICOMweb root.</param>
    /// <param name="detail">The text of the 404.</param>
    public static IResult ToMissingProblem(this HttpContext context, string path, string detail)
    {
        var archive = context.RequestServices.GetRequiredService<IArchive>();
        return context.GetAccess().Backends.Any(backend => archive.HasDeleted(backend.Name, path))
            ? Problems.Gone("The PACS that held this resource has deleted it.")
            : Problems.NotFound(detail);
    }

    private static bool IsStatus(BackendFailure failure, ErrorStatus status) =>
        failure.Error == BackendError.BadStatus && failure.Status == status;
}
