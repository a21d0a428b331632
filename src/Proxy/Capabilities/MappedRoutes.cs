using Microsoft.AspNetCore.Routing.Patterns;
using Proxy.Backends;

namespace Proxy.Capabilities;

/// <summary>The routes that are mapped below a DICOMweb root, in the form of <see cref="Capability"/>.</summary>
public static class MappedRoutes
{
    /// <summary>The methods and paths below the root; a path has no constraints.</summary>
    /// <param name="endpoints">All endpoints, those of YARP included.</param>
    /// <param name="access">The access of the root.</param>
    public static IReadOnlySet<(string Method, string Path)> Read(IEnumerable<Endpoint> endpoints, Access access)
    {
        string[] root = access.IsAll ? ["dicomweb"] : ["backends", access.Name, "dicomweb"];
        return (
            from endpoint in endpoints.OfType<RouteEndpoint>()
            let path = GetSegments(endpoint.RoutePattern)
            where IsBelow(root, path)
            from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []
            select (method, string.Join('/', path.Skip(root.Length)))).ToHashSet();
    }

    private static bool IsBelow(string[] root, string[] path) =>
        path.Length >= root.Length && root.Zip(path).All(pair => pair.First.Equals(pair.Second, StringComparison.OrdinalIgnoreCase)
            || pair.Second == $"{{{AccessFilter.BackendName}}}");

    private static string[] GetSegments(RoutePattern pattern) =>
        [.. pattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(GetText)))];

    private static string GetText(RoutePatternPart part) => part switch
    {
        RoutePatternLiteralPart literal => literal.Content,
        RoutePatternParameterPart parameter => $"{{{parameter.Name}}}",
        RoutePatternSeparatorPart separator => separator.Content,
        _ => "",
    };
}
