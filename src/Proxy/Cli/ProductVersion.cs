using System.Reflection;

namespace Proxy.Cli;

/// <summary>The version of the program.</summary>
internal static class ProductVersion
{
    /// <summary>The version, with the commit if the build knows it.</summary>
    public static string Text { get; } =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
