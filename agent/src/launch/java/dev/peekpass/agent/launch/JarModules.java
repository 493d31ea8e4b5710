package dev.peekpass.agent.launch;

import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.net.URI;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * The modules that lie in the agent's jar, each a directory below {@code modules/}. Read where they
 * are: nothing is unpacked, so nothing is left behind.
 */
final class JarModules implements ModuleFinder {
  private static final String ROOT = "modules/";
  private static final String CLASS = ".class";

  private final Map<String, ModuleReference> modules = new HashMap<>();

  /**
   * Reads the descriptors.
   *
   * @param path of the jar, which stays open as long as classes may be loaded from it
   */
  JarModules(Path path) throws IOException {
    JarFile jar = new JarFile(path.toFile());
    Map<String, Set<String>> packages = new HashMap<>();
    jar.stream().map(JarEntry::getName).forEach(name -> note(name, packages));
    for (Map.Entry<String, Set<String>> module : packages.entrySet()) {
      String prefix = ROOT + module.getKey() + "/";
      try (InputStream in = jar.getInputStream(jar.getJarEntry(prefix + "module-info.class"))) {
        ModuleDescriptor descriptor = ModuleDescriptor.read(in, module::getValue);
        modules.put(module.getKey(), new Reference(descriptor, path.toUri(), jar, prefix));
      }
    }
  }

  /** Notes the package of {@code modules/NAME/a/b/C.class}. */
  private static void note(String entry, Map<String, Set<String>> packages) {
    int module = entry.indexOf('/', ROOT.length());
    if (!entry.startsWith(ROOT) || module < 0 || !entry.endsWith(CLASS)) {
      return;
    }
    Set<String> found =
        packages.computeIfAbsent(entry.substring(ROOT.length(), module), n -> new HashSet<>());
    int last = entry.lastIndexOf('/');
    if (last > module) {
      found.add(entry.substring(module + 1, last).replace('/', '.'));
    }
  }

  @Override
  public Optional<ModuleReference> find(String name) {
    return Optional.ofNullable(modules.get(name));
  }

  @Override
  public Set<ModuleReference> findAll() {
    return Set.copyOf(modules.values());
  }

  private static final class Reference extends ModuleReference {
    private final JarFile jar;
    private final String prefix;

    Reference(ModuleDescriptor descriptor, URI location, JarFile jar, String prefix) {
      super(descriptor, location);
      this.jar = jar;
      this.prefix = prefix;
    }

    @Override
    public ModuleReader open() {
      return new Reader(jar, prefix);
    }
  }

  private static final class Reader implements ModuleReader {
    private final JarFile jar;
    private final String prefix;

    Reader(JarFile jar, String prefix) {
      this.jar = jar;
      this.prefix = prefix;
    }

    @Override
    public Optional<URI> find(String name) {
      return Optional.ofNullable(jar.getJarEntry(prefix + name))
          .map(entry -> URI.create("jar:" + Path.of(jar.getName()).toUri() + "!/" + entry));
    }

    @Override
    public Optional<InputStream> open(String name) throws IOException {
      JarEntry entry = jar.getJarEntry(prefix + name);
      return entry == null ? Optional.empty() : Optional.of(jar.getInputStream(entry));
    }

    @Override
    public Stream<String> list() {
      return jar.stream()
          .map(JarEntry::getName)
          .filter(name -> name.startsWith(prefix))
          .map(name -> name.substring(prefix.length()));
    }

    @Override
    public void close() {
      // The jar belongs to all readers of it.
    }
  }
}
