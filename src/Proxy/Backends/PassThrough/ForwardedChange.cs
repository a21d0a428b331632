using Proxy.Dicom;

namespace Proxy.Backends.PassThrough;

/// <summary>A forwarded request that may change a study: a deletion or a rejection.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Study">The study in the address.</param>
/// <param name="Series">The series in the address; null for the whole study.</param>
/// <param name="Instance">The instance in the address; null for the whole series.</param>
public sealed record ForwardedChange(string Backend, Uid Study, Uid? Series, Uid? Instance)
{
    /// <summary>The change by a request; null for a request that reads, or that names no study.</summary>
    internal static ForwardedChange? Find(string backend, HttpRequest request)
    {
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || Read("study") is not { } study) return null;
        return new(backend, study, Read("series"), Read("instance"));

        Uid? Read(string name) => Uid.TryParse(request.RouteValues[name] as string, out var uid) ? uid : null;
    }
}
