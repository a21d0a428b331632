using Proxy.Wire;

namespace Proxy.Disk;

/// <summary>Registers the cache folder, and the key of links that is stored in it.</summary>
internal static class DiskServices
{
    /// <summary>Registers the cache folder and what is stored in it.</summary>
    /// <param name="services">The services.</param>
    /// <param name="path">The cache folder; null for none.</param>
    /// <param name="encryption">Its keys.</param>
    public static void AddDisk(this IServiceCollection services, string? path, EncryptionOptions encryption)
    {
        services.AddSingleton(s =>
        {
            var log = s.GetRequiredService<ILogger<CacheFolder>>();
            return new CacheFolder(path, log) { Keys = encryption.CreateRing(log) };
        });
        services.AddHostedService<CacheFolderMonitor>();
        services.AddSingleton<BulkTokens>();
        services.AddHostedService<TokenKeyStore>();
    }
}
