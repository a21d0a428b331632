namespace Proxy.Security;

/// <summary>The path of a request as sent on the wire.</summary>
internal static class RequestTarget
{
    /// <summary>The path of a request target in origin or absolute form (RFC 9112 §3.2), without its query.</summary>
    public static ReadOnlySpan<char> GetPath(string target)
    {
        var path = target.AsSpan();
        if (!path.StartsWith("/"))
        {
            var authority = path.IndexOf("://", StringComparison.Ordinal);
            if (authority >= 0)
            {
                path = path[(authority + 3)..];
                var start = path.IndexOfAny('/', '?');
                path = start < 0 ? "/" : path[start..];
            }
        }
        var end = path.IndexOf('?');
        return end < 0 ? path : path[..end];
    }

    /// <summary>
    /// The index of a double slash between a DICOMweb root and its resource; -1 if there is none. Viewers append
    /// <c>/studies</c> to a configured root that may end with a slash.
    /// </summary>
    public static int FindDoubleSlashBehindRoot(ReadOnlySpan<char> path)
    {
        const string AllBackends = "/dicomweb", OneBackend = "/backends/";
        var root = 0;
        if (path.StartsWith(OneBackend, StringComparison.OrdinalIgnoreCase))
        {
            var name = path[OneBackend.Length..].IndexOf('/');
            if (name <= 0) return -1;
            root = OneBackend.Length + name;
        }
        var end = root + AllBackends.Length;
        return path[root..].StartsWith(AllBackends, StringComparison.OrdinalIgnoreCase) && path[end..].StartsWith("//") ? end : -1;
    }

    /// <summary>Removes one of the two slashes from the request's path.</summary>
    public static void JoinRoot(HttpRequest request)
    {
        if (request.Path.Value is { } path && FindDoubleSlashBehindRoot(path) is >= 0 and var joint) request.Path = path.Remove(joint, 1);
    }
}
